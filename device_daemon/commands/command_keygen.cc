#include <cctype>
#include <cstdio>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "device_daemon/commands/commands.h"
#include "device_daemon/server/keys.h"
#include "device_daemon/server/system_user.h"
#include "kernels/base/home_folder.h"
#include "kernels/base/host_name.h"
#include "kernels/base/shell_word.h"

namespace bitpilot {
namespace {

// What the fleet file calls this board: many boards are called as their image was, "raspberrypi"
// say, so four letters or digits of the key tell them apart.
std::string BoardName(const std::string& host, const std::string& public_key) {
  std::string name = host + "-";
  int missing = 4;
  for (const char c : public_key) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) continue;
    name += c;
    if (--missing == 0) break;
  }
  return name;
}

// For the agent's shell, beside its fleet file. Host names and keys hold nothing that a word of a shell would
// have to be quoted for, but for what keys have beside letters and digits.
std::string AddToFleetCommand(const CurveKeys& keys) {
  const std::string host = HostNameAsListName();
  return "bitpilot fleet add " + ShellWord(BoardName(host, keys.public_key)) + " --endpoint " +
         ShellWord("tcp://" + host + ":7777") + " --public-key=" + ShellWord(keys.public_key);
}

// With --user, keys that are that user's; nothing is made where there is no such user.
Result<CurveKeys> MakeKeys(const KeygenOptions& options, const std::string& folder) {
  if (options.user.empty()) return GenerateDaemonKeys(folder, options.force);
  const Result<SystemUser> user = FindSystemUser(options.user);
  if (!user.ok()) return user.status().WithContext("--user");
  Result<CurveKeys> keys = GenerateDaemonKeys(folder, options.force);
  if (!keys.ok()) return keys;
  const Status given = GiveSecretKeyTo(*user, folder);
  if (!given.ok()) return given.WithContext("--user");
  return keys;
}

// What starts the daemon with these keys: another user's is the service of the folder's name.
std::string ServeCommand(const KeygenOptions& options, const std::string& folder) {
  if (options.user.empty()) {
    return "bitpilotd serve --listen tcp://0.0.0.0:7777 --keys " + ShellWord(folder);
  }
  const std::filesystem::path path = std::filesystem::path(folder + "/").parent_path();
  return "sudo systemctl enable --now bitpilotd@" + ShellWord(path.filename().string());
}

}  // namespace

int RunKeygen(const KeygenOptions& options) {
  const std::string folder = ExpandHome(options.keys_folder);
  const Result<CurveKeys> keys = MakeKeys(options, folder);
  if (!keys.ok()) return ReportFailure(keys.status(), options.json);
  if (options.json) {
    const nlohmann::ordered_json line{{"type", "result"},
                                      {"public_key", keys->public_key},
                                      {"secret_key_file", SecretKeyPath(folder)},
                                      {"authorized_agents_file", AuthorizedAgentsPath(folder)},
                                      {"add_to_fleet_command", AddToFleetCommand(*keys)}};
    PrintJson(line);
    return 0;
  }
  std::printf(
      "This board's public key (also in %s):\n\n"
      "  %s\n\n"
      "Next:\n"
      "  1. Here, let an agent in, which then stands in %s:\n"
      "     paste what is behind && in the first command that `bitpilot fleet keygen --keys keys` "
      "prints on its machine.\n"
      "  2. Here, serve:\n\n"
      "       %s\n\n"
      "  3. On the agent's machine, list this board, with the address at which it reaches it:\n\n"
      "       %s\n",
      PublicKeyPath(folder).c_str(), keys->public_key.c_str(), AuthorizedAgentsPath(folder).c_str(),
      ServeCommand(options, folder).c_str(), AddToFleetCommand(*keys).c_str());
  return 0;
}

}  // namespace bitpilot
