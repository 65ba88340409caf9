// bitpilot: searches, on the real board, how many bits each layer of a convolutional network should
// have.
#include <cstdio>
#include <exception>

#include "agent/cli/command.h"

int main(int argc, char** argv) {
  CLI::App app(
      "bitpilot finds how many bits each layer of your network should have to be fast on your "
      "board.\n"
      "It trains the network while it searches; every candidate's real kernels run on the board "
      "(bitpilotd).",
      "bitpilot");
  app.set_version_flag("--version", BITPILOT_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 usage, 3 a budget was not met.\n"
      "Start here: bitpilot search --model resnet8 --data sample --device local:avx2 --study "
      "runs/first.db");
  int exit_code = bitpilot::kExitDone;
  bitpilot::AddSearchCommand(app, exit_code);
  bitpilot::AddEvaluateCommand(app, exit_code);
  bitpilot::AddProfileCommand(app, exit_code);
  bitpilot::AddFitEnergyCommand(app, exit_code);
  bitpilot::AddTrainCommand(app, exit_code);
  bitpilot::AddReportCommand(app, exit_code);
  bitpilot::AddReplayCommand(app, exit_code);
  bitpilot::AddLogCommand(app, exit_code);
  bitpilot::AddFleetCommand(app, exit_code);
  const auto is_named = [&](const CLI::App* command) { return command->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_named).empty()) {
    std::fprintf(stderr, "bitpilot: unknown command \"%s\"; bitpilot --help lists them\n", argv[1]);
    return bitpilot::kExitUsage;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? bitpilot::kExitDone : bitpilot::kExitUsage;
  } catch (const std::exception& error) {
    // LibTorch reports its failures by exceptions.
    return bitpilot::Fail(bitpilot::Status(bitpilot::StatusCode::kInternal, error.what()),
                          /*json=*/false);
  }
  return exit_code;
}
