// A program of ours that a campaign starts and kills.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

class ChildProcess {
 public:
  ChildProcess() = default;
  ~ChildProcess() { Kill(); }
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // arguments: the first one is the program's path. Its output goes to the end of these files.
  //
  // Errors: kUnavailable if it cannot be started. REQUIRES: it does not run.
  Status Start(std::vector<std::string> arguments, const std::string& standard_output,
               const std::string& standard_error);
  // SIGKILL, and waits for its end.
  void Kill();
  // False once it has ended.
  bool IsRunning();
  // 0 if it does not run.
  pid_t pid() const { return pid_; }
  // The first child whose arguments hold the word `argument`; 0 if there is none.
  pid_t ChildWith(const std::string& argument) const;

 private:
  pid_t pid_ = 0;
};

}  // namespace bitpilot
