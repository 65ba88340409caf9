// bitpilot: searches, on the real board, how many bits each layer of a convolutional network should
// have.
//
// What only reads studies and keys runs here, at once, and so do the checks of all other commands'
// flags and small files, but for pipes, which can be read only once. What is left runs in
// bitpilot-agent, which lies beside this program and takes a third of a second to load LibTorch.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>

#include "agent/cli/command.h"
#include "agent/cli/evaluate_flags.h"
#include "agent/cli/profile_flags.h"
#include "agent/cli/program.h"
#include "agent/cli/search_flags.h"
#include "agent/cli/study_commands.h"
#include "agent/cli/train_flags.h"

namespace bitpilot {
namespace {

constexpr char kAgent[] = "bitpilot-agent";

// Flags of replay and log that need the agent.
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

// A command that the agent runs, once `check` finds nothing wrong with what was asked.
//
// is_long: it tells of its progress, and that it begins to load: on a machine that is busy LibTorch takes
// many seconds, in which a signal ends the program, as nothing was begun.
template <typename Flags>
void AddCheckedCommand(CLI::App& app, int& exit_code, bool is_long,
                       CLI::App* (*add)(CLI::App&, Flags&),
                       Status (*check)(const CLI::App&, const Flags&)) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* command = add(app, *flags);
  command->callback([command, flags, check, is_long, &exit_code] {
    const Status status = check(*command, *flags);
    if (status.ok() && is_long) std::fprintf(stderr, "loading LibTorch\n");
    exit_code = Fail(status.ok() ? BecomeAgent() : status, flags->json);
  });
}

void AddCommandsHere(CLI::App& app, int& exit_code) {
  StudyChecks checks;
  checks.verify_replay = [](const std::string&) -> Result<ReplayReport> { return BecomeAgent(); };
  checks.check_files = [](const std::string&) -> Result<StudyFileCheck> { return BecomeAgent(); };
  // As AddAllCommands() (agent/cli/all_commands.h), in the order that help prints.
  AddCheckedCommand<SearchFlags>(app, exit_code, /*is_long=*/true, AddSearchCommandFlags,
                                 CheckSearch);
  AddCheckedCommand<EvaluateFlags>(app, exit_code, /*is_long=*/false, AddEvaluateFlags,
                                   [](const CLI::App&, const EvaluateFlags& flags) {
                                     return CheckEvaluate(flags, Pipes::kLeave).status();
                                   });
  AddCheckedCommand<ProfileFlags>(app, exit_code, /*is_long=*/true, AddProfileFlags,
                                  [](const CLI::App&, const ProfileFlags& flags) {
                                    return CheckProfile(flags, Pipes::kLeave).status();
                                  });
  AddFitEnergyCommand(app, exit_code);
  AddCheckedCommand<TrainFlags>(app, exit_code, /*is_long=*/true, AddTrainFlags,
                                [](const CLI::App&, const TrainFlags& flags) {
                                  return CheckTrain(flags, Pipes::kLeave).status();
                                });
  AddReportCommand(app, exit_code);
  AddReplayCommand(app, exit_code, checks);
  AddLogCommand(app, exit_code, checks);
  AddFleetCommand(app, exit_code);
}

int Main(int argc, char** argv) {
  arguments = argv;
  const bool reads_study =
      argc > 1 && (std::string_view(argv[1]) == "replay" || std::string_view(argv[1]) == "log");
  const bool is_elsewhere = reads_study && std::any_of(argv, argv + argc, [](const char* argument) {
                              return Contains(kChecksElsewhere, argument);
                            });
  if (!is_elsewhere) return RunProgram(argc, argv, AddCommandsHere);
  const bool json =
      std::any_of(argv, argv + argc, [](std::string_view each) { return each == "--json"; });
  return Fail(BecomeAgent(), json);
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
