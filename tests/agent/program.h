// Runs this build's programs as a user would: separate processes with arguments, output and exit
// codes.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace bitpilot {

struct ProgramResult {
  int exit_code = -1;  // 128 + signal if a signal ended it
  std::string out;     // standard output
  std::string err;     // standard error
};

// Path of a program of this build: "bitpilot" or "bitpilotd".
std::string ProgramPath(const std::string& name);

// Runs `arguments` (the first is the program's path) to its end.
ProgramResult RunProgram(const std::vector<std::string>& arguments);

// Starts it and polls `signal_now` every few milliseconds; once that is true the process gets
// `signal`. Waits for the end either way.
ProgramResult RunProgramUntil(const std::vector<std::string>& arguments, int signal,
                              const std::function<bool()>& signal_now);

// The JSON objects of type `type` among the lines of `out`, as text.
std::vector<std::string> LinesOfType(const std::string& out, const std::string& type);

}  // namespace bitpilot
