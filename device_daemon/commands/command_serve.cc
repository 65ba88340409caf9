#include <sys/types.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "device_daemon/commands/commands.h"
#include "device_daemon/server/log.h"
#include "device_daemon/server/server.h"
#include "device_daemon/worker/process.h"
#include "device_daemon/worker/sandbox.h"
#include "kernels/base/home_folder.h"
#include "kernels/base/joined.h"
#include "kernels/base/model_board_file.h"
#include "kernels/base/quoted.h"
#include "kernels/base/utf8.h"
#include "proto/endpoint.h"

namespace bitpilot {
namespace {

constexpr std::string_view kModelPrefix = "model:";

void PrintReady(const ServerAddress& address, bool json) {
  if (json) {
    const nlohmann::ordered_json line{{"type", "ready"},
                                      {"endpoint", address.endpoint},
                                      {"public_key", address.public_key},
                                      {"pid", getpid()},
                                      {"connects_to", address.connects_to}};
    PrintJson(line);
  } else {
    std::string where = address.endpoint.empty() ? "" : " serves at " + address.endpoint;
    if (!address.connects_to.empty()) {
      where +=
          std::string(where.empty() ? "" : " and") + " connects to " + Joined(address.connects_to);
    }
    std::printf("bitpilotd%s, public key %s\n", where.c_str(), address.public_key.c_str());
  }
  std::fflush(stdout);
}

// "board.lan:7777" is an endpoint, too.
std::string ConnectEndpoint(const std::string& text) {
  return text.find("://") == std::string::npos ? "tcp://" + text : text;
}

// Both ways may be open at a time. A host that nobody knows now may be known later.
Status CheckConnections(const ServeOptions& options) {
  if (options.endpoint.empty() && options.connect.empty()) {
    return InvalidArgument(
        "agents must reach this board, or it them: pass --listen tcp://ADDRESS:PORT or --connect "
        "HOST:PORT");
  }
  for (const std::string& text : options.connect) {
    const Status status = ParseEndpoint(ConnectEndpoint(text), EndpointUse::kConnect).status();
    if (!status.ok()) return status.WithContext("--connect");
  }
  if (options.agent_name.empty() || !options.connect.empty()) return {};
  return InvalidArgument(
      "--agent says whose key --connect expects; without --connect leave it out");
}

// A host that nobody knows is a mistake of the command line, too.
Status CheckEndpoint(const std::string& text) {
  const Result<Endpoint> endpoint = ParseEndpoint(text, EndpointUse::kListen);
  if (!endpoint.ok()) return endpoint.status().WithContext("--listen");
  const Status status = ResolveEndpoint(*endpoint).status();
  return status.ok() ? Status() : InvalidArgument("--listen " + text + ": " + status.message());
}

// The file that --backend model:TABLE names.
Result<std::string> CostTablePath(const ServeOptions& options) {
  Result<std::string> path = FindModelBoardFile(options.backend.substr(kModelPrefix.size()));
  if (path.ok()) return path;
  return Status(path.status().code(), "--backend " + options.backend + ": " +
                                          path.status().message() +
                                          "; `bitpilotd bench --table` prints a table of this "
                                          "machine");
}

Status CheckFlags(const ServeOptions& options) {
  if (options.keys_folder.empty()) {
    return InvalidArgument(
        "agents must prove who they are, so a key folder is needed. Make one with `bitpilotd "
        "keygen --keys DIR`, add your agent's public key to DIR/authorized_agents, and pass "
        "--keys DIR");
  }
  BITPILOT_RETURN_IF_ERROR(CheckConnections(options));
  if (!options.endpoint.empty()) BITPILOT_RETURN_IF_ERROR(CheckEndpoint(options.endpoint));
  if (!IsUtf8(options.name)) {
    return InvalidArgument("--name " + Quoted(options.name) +
                           ": agents are told it, so it must be UTF-8");
  }
  if (options.backend.starts_with(kModelPrefix)) {
    BITPILOT_RETURN_IF_ERROR(CostTablePath(options).status());
    if (!options.cpu.empty()) {
      return InvalidArgument(
          "--cpu chooses which CPU is measured, and a model measures none: "
          "leave it out, or --backend " +
          options.backend);
    }
    if (options.meter.empty()) return {};
    return InvalidArgument("a model measures nothing: leave out --meter, or --backend " +
                           options.backend);
  }
  if (options.backend != "kernels") {
    return InvalidArgument("--backend takes kernels or model:TABLE, got '" + options.backend + "'");
  }
  if (!options.fast) return {};
  return InvalidArgument(
      "--fast is for --backend model:TABLE; kernels take the time that they take");
}

Status ServeAsAsked(const ServeOptions& options) {
  BITPILOT_RETURN_IF_ERROR(CheckFlags(options));
  const Result<Isa> isa = ChooseIsa(options.isa);
  if (!isa.ok()) return isa.status().WithContext("--isa");
  const Result<CpuCore> core = ChooseCore(options.cpu);
  if (!core.ok()) return core.status();
  ServerOptions server;
  server.core = *core;
  if (options.backend.starts_with(kModelPrefix)) {
    const Result<std::string> path = CostTablePath(options);
    if (!path.ok()) return path.status();
    server.cost_table_path = *path;
  }
  server.isa = *isa;
  server.fast = options.fast;
  server.endpoint = options.endpoint;
  server.keys_folder = ExpandHome(options.keys_folder);
  server.store_folder = options.store_folder.empty() ? server.keys_folder + "/store"
                                                     : ExpandHome(options.store_folder);
  server.store_quota_bytes = options.store_mib << 20;
  server.worker_memory_bytes = options.worker_memory_mib << 20;
  server.name = options.name;
  server.shares_agent_host = options.shares_agent_host;
  server.program = OwnProgramPath();
  server.meter = options.meter;
  server.energy_source = options.energy_source;
  server.energy_tolerance = options.energy_tolerance;
  for (const std::string& text : options.connect) server.connect.push_back(ConnectEndpoint(text));
  server.agent_name = options.agent_name;
  server.metrics_path = ExpandHome(options.metrics_path);
  return Serve(server, [&](const ServerAddress& address) { PrintReady(address, options.json); });
}

}  // namespace

int RunServe(const ServeOptions& options) {
  HideOwnMemory();
  IgnoreBrokenPipes();
  if (options.exit_with_parent) DieWithParent(getppid(), SIGTERM);
  if (options.log_format == "json") SetLogFormat(LogFormat::kJson);
  const Status status = ServeAsAsked(options);
  return status.ok() ? 0 : ReportFailure(status, options.json);
}

}  // namespace bitpilot
