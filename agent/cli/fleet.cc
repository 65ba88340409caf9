// bitpilot fleet: the boards that searches run on.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include <nlohmann/json.hpp>

#include "agent/cli/command.h"
#include "agent/fleet/keys.h"
#include "kernels/base/home_folder.h"
#include "kernels/base/host_name.h"
#include "kernels/base/shell_word.h"

namespace bitpilot {
namespace {

struct KeygenFlags {
  std::string directory;
  bool force = false;
  bool json = false;
};

// As fleet.toml can hold it, wherever that lies.
std::string AbsolutePath(const std::string& folder) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::weakly_canonical(folder, error);
  return error ? folder : absolute.string();
}

// `text` as a string of a TOML file.
std::string TomlText(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// For a board's shell, beside the folder that `bitpilotd keygen --keys board-keys` made.
std::string AuthorizeCommand(const AgentKeys& keys) {
  return "echo " + ShellWord(HostNameAsListName() + " " + keys.public_key) +
         " >> board-keys/authorized_agents";
}

// For a shell here, before the first board's lines are appended. A list that is there stays.
std::string BeginFleetCommand(const std::string& folder) {
  // Not echo: some take a backslash for more than one.
  return "[ -e fleet.toml ] || printf '%s\\n' " +
         ShellWord("keys = " + TomlText(AbsolutePath(folder))) + " > fleet.toml";
}

int RunKeygen(const KeygenFlags& flags) {
  const std::string folder = ExpandHome(flags.directory);
  const Result<AgentKeys> keys = CreateAgentKeys(folder, flags.force);
  if (!keys.ok()) return Fail(keys.status(), flags.json);
  if (flags.json) {
    PrintJson({{"type", "result"},
               {"keys", folder},
               {"public_key", keys->public_key},
               {"authorize_command", AuthorizeCommand(*keys)},
               {"begin_fleet_command", BeginFleetCommand(folder)}});
    return kExitDone;
  }
  std::printf(
      "This agent's public key: %s\n\n"
      "1. On each board, where `bitpilotd keygen --keys board-keys` made its keys, paste:\n\n"
      "     %s\n\n"
      "2. Here, once, then what `bitpilotd keygen` printed on each board:\n\n"
      "     %s\n\n"
      "3. Here: bitpilot search --fleet fleet.toml ...\n",
      keys->public_key.c_str(), AuthorizeCommand(*keys).c_str(), BeginFleetCommand(folder).c_str());
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
}

}  // namespace bitpilot
