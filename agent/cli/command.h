// What the subcommands share: registration, exit codes, output.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>

#include "agent/fleet/board.h"
#include "kernels/base/number_text.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Exit codes of the program; scripts rely on them. Usage: the command line cannot be meant as written.
// Failed: all else, also files and folders that it names and that are not there, cannot be read or
// hold something else (Status::AsCorruptInput(), kernels/base/status.h). `evaluate --versus` has two
// more (kernels/versus/versus.h).
inline constexpr int kExitDone = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitBudgetMissed = 3;

// One subcommand's share of `app`. Each Add*Command() registers flags and a callback that does the
// work and sets `exit_code`; nothing runs before all arguments are parsed. Those about studies are in
// agent/cli/study_commands.h.
void AddSearchCommand(CLI::App& app, int& exit_code);
void AddTrainCommand(CLI::App& app, int& exit_code);
void AddEvaluateCommand(CLI::App& app, int& exit_code);
void AddProfileCommand(CLI::App& app, int& exit_code);
void AddFitEnergyCommand(CLI::App& app, int& exit_code);
void AddFleetCommand(CLI::App& app, int& exit_code);

// What every flag with a number is given, by transform(): refuses all but numbers of the range
// (kernels/base/number_text.h), which the help text shows.
template <typename T>
CLI::Validator NumberIn(T min, T max = std::numeric_limits<T>::max()) {
  return CLI::Validator(NumberCheck(min, max), NumberRange(min, max));
}
inline CLI::Validator WholeNumberIn(std::int64_t min,
                                    std::int64_t max = std::numeric_limits<std::int64_t>::max()) {
  return NumberIn(min, max);
}

// Registers --cpu, which of a local device's CPUs measures (BoardOptions::cpu).
void AddCpuFlag(CLI::App& command, std::string& cpu);

// Registers --lease and --priority, by which agents share boards of a fleet file. lease: nothing while
// neither is given.
void AddLeaseFlags(CLI::App& command, std::optional<LeaseTerms>& lease);

// Registers --json.
void AddJsonFlag(CLI::App& command, bool& json);

// Prints `line` as one JSON object on standard output. It must have a "type".
void PrintJson(const nlohmann::json& line);

// {"type":"error","code","message"} on standard output.
void PrintErrorLine(const Status& status);

// Prints the failure on standard error ("bitpilot: <message>") and, with `json`, the error line;
// returns the exit code for it.
int Fail(const Status& status, bool json);

// What commands that write one text take as the name of their standard output.
inline constexpr char kStandardOutput[] = "-";

// Finds before any work that a file cannot, or must not, be written at `path`, which `flag` gave.
//
// inputs: files and folders that the command reads; "" and what is not there are skipped.
//
// Errors: kInvalidArgument for a folder, for a name that the system does not take, for one of the
// inputs, also by another name, and for any study or a file beside it; kNotFound without its folder.
Status CheckOutput(const std::string& flag, const std::string& path,
                   const std::vector<std::string>& inputs);

// The same for commands that also take kStandardOutput: not with --json, whose line goes there.
Status CheckOutput(const std::string& flag, const std::string& path, bool json,
                   const std::vector<std::string>& inputs);

// What a check of flags does with small inputs that can be read only once (IsReadOnce(),
// kernels/base/file_io.h): bitpilot leaves them to bitpilot-agent, which reads them again and works
// with what they hold.
enum class Pipes { kLeave, kRead };

// Ctrl-C and SIGTERM ask for a stop instead of ending the program; a second one ends it at once. So do
// SIGHUP (the terminal was closed), unless nohup has it ignored, and SIGPIPE (who reads the output is
// gone), as often as they come.
void StopOnSignals();
bool StopRequested();

// True once somebody asked for it (SIGINT, SIGTERM): not where only a terminal or a reader is gone.
bool StopAskedFor();

}  // namespace bitpilot
