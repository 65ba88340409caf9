#include <sys/types.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <string>
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

// libzmq takes 99999 for 34463.
bool NamesAPort(const std::string& endpoint) {
  constexpr std::string_view kScheme = "tcp://";
  const std::size_t colon = endpoint.rfind(':');
  if (!endpoint.starts_with(kScheme) || colon < kScheme.size()) return false;
  const char* begin = endpoint.data() + colon + 1;
  const char* end = endpoint.data() + endpoint.size();
  std::uint16_t port = 0;
  const auto [rest, error] = std::from_chars(begin, end, port);
  return error == std::errc() && rest == end && begin != end;
}

Status CheckFlags(const ServeOptions& options) {
  if (options.keys_folder.empty()) {
    return InvalidArgument(
        "agents must prove who they are, so a key folder is needed. Make one with `bitpilotd "
        "keygen --keys DIR`, add your agent's public key to DIR/authorized_agents, and pass "
        "--keys DIR");
  }
  if (!NamesAPort(options.endpoint)) {
    return InvalidArgument(
        "--listen takes tcp://ADDRESS:PORT, with a port of at most 65535; got '" +
        options.endpoint + "'");
  }
  if (options.backend.starts_with(kModelPrefix)) {
    if (options.meter.empty()) return {};
    return InvalidArgument("a model measures nothing: leave out --meter, or --backend " +
                           options.backend);
  }
  if (options.backend != "kernels") {
    return InvalidArgument("--backend takes kernels or model:FILE, got '" + options.backend + "'");
  }
  if (!options.fast) return {};
  return InvalidArgument(
      "--fast is for --backend model:FILE; kernels take the time that they take");
}

Status ServeAsAsked(const ServeOptions& options) {
  BITPILOT_RETURN_IF_ERROR(CheckFlags(options));
  const Result<Isa> isa = ChooseIsa(options.isa);
  if (!isa.ok()) return isa.status().WithContext("--isa");
  ServerOptions server;
  if (options.backend.starts_with(kModelPrefix)) {
    server.cost_table_path = options.backend.substr(kModelPrefix.size());
  }
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
  return Serve(server, [&](const ServerAddress& address) { PrintReady(address, options.json); });
}

}  // namespace

int RunServe(const ServeOptions& options) {
  if (options.exit_with_parent) DieWithParent(getppid(), SIGTERM);
  const Status status = ServeAsAsked(options);
  return status.ok() ? 0 : ReportFailure(status, options.json);
}

}  // namespace bitpilot
