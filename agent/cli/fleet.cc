// bitpilot fleet: the boards that searches run on.
#include <cstdio>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/cli/enroll_commands.h"
#include "agent/cli/fleet_boards.h"
#include "agent/cli/fleet_lines.h"
#include "agent/cli/fleet_orders.h"
#include "agent/cli/fleet_state.h"
#include "agent/fleet/keys.h"
#include "kernels/base/home_folder.h"
#include "kernels/base/quoted.h"
#include "kernels/base/shell_word.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

// Where `fleet add` looks for them.
constexpr char kDefaultKeys[] = "keys";

struct KeygenFlags {
  std::string directory;
  bool force = false;
  bool json = false;
};

int RunKeygen(const KeygenFlags& flags) {
  const std::string folder = ExpandHome(flags.directory);
  if (!IsUtf8(AbsolutePath(folder))) {
    return Fail(InvalidArgument("--keys " + Quoted(AbsolutePath(folder)) +
                                ": fleet.toml names this folder, so it must be UTF-8"),
                flags.json);
  }
  const Result<AgentKeys> keys = CreateAgentKeys(folder, flags.force);
  if (!keys.ok()) return Fail(keys.status(), flags.json);
  const EnrollCommands commands = EnrollCommandsOf(
      EnrollBoard(), *keys,
      flags.directory == kDefaultKeys ? "" : " --keys " + ShellWord(flags.directory));
  if (flags.json) {
    PrintJson({{"type", "result"},
               {"keys", folder},
               {"public_key", keys->public_key},
               {"authorize_command", AuthorizeCommand(*keys)},
               {"board_commands", {commands.on_board_keys, commands.on_board_serve}},
               {"here_command", commands.here}});
    return kExitDone;
  }
  std::printf(
      "This agent's public key: %s\n\n"
      "Three commands make a board known to this agent, and this agent to the board. With the "
      "board's name for NAME and\nwhere this machine reaches it for ADDRESS, `bitpilot fleet add` "
      "prints them as they are to be pasted.\n\n%s",
      keys->public_key.c_str(), DescribeEnroll(commands).c_str());
  return kExitDone;
}

}  // namespace

void AddFleetCommand(CLI::App& app, int& exit_code) {
  CLI::App* fleet = app.add_subcommand("fleet", "Boards on the network");
  fleet->require_subcommand(1);
  CLI::App* keygen = fleet->add_subcommand(
      "keygen", "Make this agent's CURVE key pair and say what to do with it");
  const auto flags = std::make_shared<KeygenFlags>();
  keygen->add_option("--keys", flags->directory, "Folder for agent.key and agent.pub")->required();
  keygen->add_flag("--force", flags->force,
                   "Replace existing keys; boards that know the old one will refuse this agent");
  AddJsonFlag(*keygen, flags->json);
  keygen->callback([flags, &exit_code] { exit_code = RunKeygen(*flags); });
  AddFleetBoardCommands(*fleet, exit_code);
  AddFleetStateCommands(*fleet, exit_code);
  AddFleetOrderCommands(*fleet, exit_code);
}

}  // namespace bitpilot
