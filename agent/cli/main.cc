// bitpilot: searches, on the real board, how many bits each layer of a convolutional network should
// have.
//
// What only reads studies and keys runs here, at once. Everything else runs in bitpilot-agent, which
// lies beside this program and takes a third of a second to load LibTorch.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <system_error>

#include "agent/cli/command.h"
#include "agent/cli/program.h"
#include "agent/cli/study_commands.h"

namespace bitpilot {
namespace {

constexpr char kAgent[] = "bitpilot-agent";
constexpr std::array<std::string_view, 4> kCommandsHere = {"report", "replay", "log", "fleet"};

// Flags of these commands that need the agent.
constexpr std::array<std::string_view, 2> kChecksElsewhere = {"--verify", "--files"};

char** arguments = nullptr;  // main()'s

template <std::size_t N>
bool Contains(const std::array<std::string_view, N>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Goes on as bitpilot-agent with the same arguments. Returns only if that cannot be started.
Status BecomeAgent() {
  std::error_code error;
  const std::filesystem::path here = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string agent = (here.parent_path() / kAgent).string();
  if (!error) {
    std::fflush(nullptr);
    // Training threads that wait shall not spin: others may compute on that CPU, or a board be measured.
    // The library reads this before its main() begins.
    setenv("OMP_WAIT_POLICY", "PASSIVE", /*overwrite=*/0);
    // How many train is part of a study: nothing around the program may change it.
    setenv("OMP_DYNAMIC", "FALSE", /*overwrite=*/1);
    unsetenv("OMP_THREAD_LIMIT");
    execv(agent.c_str(), arguments);
  }
  return Status(StatusCode::kNotFound, "cannot start " + agent +
                                           ", which belongs beside bitpilot: " +
                                           (error ? error.message() : std::strerror(errno)));
}

void AddCommandsHere(CLI::App& app, int& exit_code) {
  StudyChecks checks;
  checks.verify_replay = [](const std::string&) -> Result<ReplayReport> { return BecomeAgent(); };
  checks.check_files = [](const std::string&) -> Result<StudyFileCheck> { return BecomeAgent(); };
  AddReportCommand(app, exit_code);
  AddReplayCommand(app, exit_code, checks);
  AddLogCommand(app, exit_code, checks);
  AddFleetCommand(app, exit_code);
}

int Main(int argc, char** argv) {
  arguments = argv;
  const bool is_here = argc > 1 && Contains(kCommandsHere, argv[1]) &&
                       std::none_of(argv, argv + argc, [](const char* argument) {
                         return Contains(kChecksElsewhere, argument);
                       });
  if (is_here) return RunProgram(argc, argv, AddCommandsHere);
  const bool json =
      std::any_of(argv, argv + argc, [](std::string_view each) { return each == "--json"; });
  return Fail(BecomeAgent(), json);
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
