#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string_view>

#include <nlohmann/json.hpp>

#include "device_daemon/commands/commands.h"
#include "device_daemon/server/server.h"
#include "device_daemon/worker/process.h"

namespace bitpilot {
namespace {

constexpr std::string_view kModelPrefix = "model:";

void PrintReady(const ServerAddress& address, bool json) {
  if (json) {
    const nlohmann::ordered_json line{{"type", "ready"},
                                      {"endpoint", address.endpoint},
                                      {"public_key", address.public_key},
                                      {"pid", getpid()}};
    std::printf("%s\n", line.dump().c_str());
  } else {
    std::printf("bitpilotd serves at %s, public key %s\n", address.endpoint.c_str(),
                address.public_key.c_str());
  }
  std::fflush(stdout);
}

int UsageError(const std::string& message) {
  std::fprintf(stderr, "bitpilotd serve: %s\n", message.c_str());
  return 2;
}

}  // namespace

int RunServe(const ServeOptions& options) {
  if (options.exit_with_parent) DieWithParent(getppid(), SIGTERM);
  if (options.keys_folder.empty()) {
    return UsageError(
        "agents must prove who they are, so a key folder is needed. Make one with `bitpilotd "
        "keygen --keys DIR`, add your agent's public key to DIR/authorized_agents, and pass "
        "--keys DIR");
  }
  if (!options.endpoint.starts_with("tcp://")) {
    return UsageError("--listen takes tcp://ADDRESS:PORT, got '" + options.endpoint + "'");
  }
  ServerOptions server;
  if (options.backend.starts_with(kModelPrefix)) {
    server.cost_table_path = options.backend.substr(kModelPrefix.size());
    if (!options.meter.empty()) {
      return UsageError("a model measures nothing: leave out --meter, or --backend " +
                        options.backend);
    }
  } else if (options.fast) {
    return UsageError("--fast is for --backend model:FILE; kernels take the time that they take");
  } else if (options.backend != "kernels") {
    return UsageError("--backend takes kernels or model:FILE, got '" + options.backend + "'");
  }
  const Result<Isa> isa = ChooseIsa(options.isa);
  if (!isa.ok()) return ReportFailure(isa.status());
  server.isa = *isa;
  server.fast = options.fast;
  server.endpoint = options.endpoint;
  server.keys_folder = options.keys_folder;
  server.store_folder =
      options.store_folder.empty() ? options.keys_folder + "/store" : options.store_folder;
  server.store_quota_bytes = options.store_mib << 20;
  server.worker_memory_bytes = options.worker_memory_mib << 20;
  server.name = options.name;
  server.shares_agent_host = options.shares_agent_host;
  server.program = OwnProgramPath();
  server.meter = options.meter;
  server.energy_source = options.energy_source;
  server.energy_tolerance = options.energy_tolerance;
  const Status status =
      Serve(server, [&](const ServerAddress& address) { PrintReady(address, options.json); });
  return status.ok() ? 0 : ReportFailure(status);
}

}  // namespace bitpilot
