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
#include "kernels/base/quoted.h"
#include "kernels/base/shell_word.h"
#include "kernels/base/utf8.h"

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
  const std::filesystem::path absolute =
      std::filesystem::weakly_canonical(std::filesystem::absolute(folder, error), error);
  return error ? folder : absolute.string();
}

// `text`, which is UTF-8, as a string of a TOML file, on one line.
std::string TomlText(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[sizeof "\\u0000"];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(byte));
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

// For a board's shell, beside the folder that `bitpilotd keygen --keys board-keys` made.
std::string AuthorizeCommand(const AgentKeys& keys) {
  return "echo " + ShellWord(HostNameAsListName() + " " + keys.public_key) +
         " >> board-keys/authorized_agents";
}

// For a shell here, before or after boards' lines are appended: puts the `keys` line in front of
// what is there. A `keys` line that is there stays, and where it is another one the command says so
// and fails.
std::string BeginFleetCommand(const std::string& folder) {
  const std::string line = "keys = " + TomlText(AbsolutePath(folder));
  // Not echo: some take a backslash for more than one.
  return "touch fleet.toml && if ! grep -q '^[[:space:]]*keys[[:space:]]*=' fleet.toml; then "
         "boards=$(cat fleet.toml) && printf '%s\\n' " +
         ShellWord(line) + " ${boards:+\"$boards\"} > fleet.toml; elif ! grep -qxF " +
         ShellWord(line) + " fleet.toml; then printf '%s\\n' " +
         ShellWord("fleet.toml has another keys line and keeps it. The one for these keys is:") +
         " " + ShellWord(line) + " >&2; false; fi";
}

int RunKeygen(const KeygenFlags& flags) {
  const std::string folder = ExpandHome(flags.directory);
  if (!IsUtf8(AbsolutePath(folder))) {
    return Fail(InvalidArgument("--keys " + Quoted(AbsolutePath(folder)) +
                                ": fleet.toml names this folder, so it must be UTF-8"),
                flags.json);
  }
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
      "2. Here, once, before or after what `bitpilotd keygen` printed on each board:\n\n"
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
