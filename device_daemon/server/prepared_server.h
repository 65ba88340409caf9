// Everything that must be right before the daemon opens a socket.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "device_daemon/core/artifact_store.h"
#include "device_daemon/core/daemon_core.h"
#include "device_daemon/energy/source_choice.h"
#include "device_daemon/server/baseline_keeper.h"
#include "device_daemon/server/job_runner.h"
#include "device_daemon/server/keys.h"
#include "device_daemon/server/result_store.h"
#include "device_daemon/server/server.h"
#include "device_daemon/worker/worker_process.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct PreparedServer {
  CurveKeys keys;
  AgentList agents;
  std::optional<CostTable> cost_table;
  ArtifactStore store;
  std::uint64_t last_epoch = 0;
  EnergyChoice energy;
  v1::DeviceCapabilities capabilities;
  BaselineKeeper baseline;
  ResultStore results;
  std::vector<v1::KeptResult> kept_results;
  std::optional<std::string> drain_reason;
  std::vector<std::string> problems;  // Lines for the log.
};

// Errors: as Serve(), but for sockets.
Result<PreparedServer> PrepareServer(const ServerOptions& options);

// Takes the kept results out of `prepared`.
daemon::CoreConfig MakeCoreConfig(const ServerOptions& options, PreparedServer& prepared);
EnergySetup MakeEnergySetup(const ServerOptions& options, EnergyChoice choice);
WorkerCommand WorkerCommandFor(const ServerOptions& options);

}  // namespace bitpilot
