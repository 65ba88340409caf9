#include <cstdio>

#include <nlohmann/json.hpp>

#include "device_daemon/commands/commands.h"
#include "device_daemon/server/keys.h"
#include "kernels/base/home_folder.h"

namespace bitpilot {

int RunKeygen(const KeygenOptions& options) {
  const std::string folder = ExpandHome(options.keys_folder);
  const Result<CurveKeys> keys = GenerateDaemonKeys(folder, options.force);
  if (!keys.ok()) return ReportFailure(keys.status(), options.json);
  if (options.json) {
    const nlohmann::ordered_json line{{"type", "result"},
                                      {"public_key", keys->public_key},
                                      {"secret_key_file", SecretKeyPath(folder)},
                                      {"authorized_agents_file", AuthorizedAgentsPath(folder)}};
    PrintJson(line);
    return 0;
  }
  std::printf(
      "This board's public key (also in %s):\n\n"
      "  %s\n\n"
      "Next:\n"
      "  1. On the agent's machine: `bitpilot fleet keygen` prints the agent's public key.\n"
      "  2. Here: add a line \"NAME PUBLIC_KEY\" with it to %s.\n"
      "  3. Here: `bitpilotd serve --listen tcp://0.0.0.0:7777 --keys %s`\n"
      "  4. On the agent's machine: put this board's address and public key into fleet.toml.\n",
      PublicKeyPath(folder).c_str(), keys->public_key.c_str(), AuthorizedAgentsPath(folder).c_str(),
      folder.c_str());
  return 0;
}

}  // namespace bitpilot
