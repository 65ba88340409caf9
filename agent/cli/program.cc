#include "agent/cli/program.h"

#include <algorithm>
#include <csignal>
#include <exception>
#include <string>
#include <vector>

#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

// For failures before or outside the commands, which know better.
bool AsksForJson(int argc, char** argv) {
  return std::any_of(argv, argv + argc,
                     [](const char* argument) { return std::string(argument) == "--json"; });
}

// The commands that the arguments begin with, "fleet" and "list", are there: CLI11 says of others only that
// a subcommand is required.
Status CheckCommand(const CLI::App& app, int argc, char** argv) {
  const CLI::App* at = &app;
  std::string path = "bitpilot";
  for (int i = 1; i < argc && argv[i][0] != '-'; ++i) {
    if (at->get_subcommands([](const CLI::App*) { return true; }).empty()) return {};
    const auto is_named = [&](const CLI::App* command) { return command->get_name() == argv[i]; };
    const std::vector<const CLI::App*> named = at->get_subcommands(is_named);
    if (named.empty()) {
      return InvalidArgument("unknown command \"" + std::string(argv[i]) + "\"; " + path +
                             " --help lists them");
    }
    at = named.front();
    path += " " + at->get_name();
  }
  return {};
}

int RunCommand(int argc, char** argv, void (*add_commands)(CLI::App&, int&)) {
  CLI::App app(
      "bitpilot finds how many bits each layer of your network should have to be fast on your "
      "board.\n"
      "It trains the network while it searches; every candidate's real kernels run on the board "
      "(bitpilotd).",
      "bitpilot");
  app.set_version_flag("--version", BITPILOT_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit codes: 0 done, 1 failed, 2 usage, 3 a budget was not met; of evaluate --versus 3 "
      "slower, "
      "4 no verdict.\n"
      "Start here: bitpilot search --model resnet8 --data sample --study runs/first.db");
  int exit_code = kExitDone;
  add_commands(app, exit_code);
  const Status known = CheckCommand(app, argc, argv);
  if (!known.ok()) return Fail(known, AsksForJson(argc, argv));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (app.exit(error) == 0) return kExitDone;  // --help, --version
    if (AsksForJson(argc, argv)) PrintErrorLine(InvalidArgument(error.what()));
    return kExitUsage;
  } catch (const std::exception& error) {
    // LibTorch reports its failures by exceptions.
    return Fail(Status(StatusCode::kInternal, error.what()), AsksForJson(argc, argv));
  }
  return exit_code;
}

}  // namespace

int RunProgram(int argc, char** argv, void (*add_commands)(CLI::App& app, int& exit_code)) {
  std::signal(SIGXFSZ, SIG_IGN);  // a file that may not grow (ulimit -f) is an error, not the end
  const int exit_code = RunCommand(argc, argv, add_commands);
  const Status output = FlushStandardOutput();
  if (output.ok() || exit_code != kExitDone) return exit_code;
  return Fail(output, /*json=*/false);
}

}  // namespace bitpilot
