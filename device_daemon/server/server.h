// The daemon at work: sockets, worker, store and clock around DaemonCore.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device_daemon/measurement/cpu_core.h"
#include "device_daemon/server/energy_result.h"
#include "device_daemon/server/keys.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"
#include "kernels/cpu/isa.h"

namespace bitpilot {

struct ServerOptions {
  // "tcp://127.0.0.1:7777"; port 0 takes a free one. Empty: only connects.
  std::string endpoint;
  std::vector<std::string> connect;  // Agents to connect to, from behind a NAT.
  std::string agent_name;  // Whose key is expected there; as ChooseExpectedAgent() takes it.
  std::string keys_folder;
  std::string store_folder;
  std::uint64_t store_quota_bytes = std::uint64_t{256} << 20;
  std::uint64_t worker_memory_bytes = std::uint64_t{1} << 30;
  std::string name;  // Of the board, for people; the host name if empty.
  Isa isa = Isa::kScalar;
  CpuCore core;                    // That measures.
  bool shares_agent_host = false;  // As BoardWatchOptions.
  std::string cost_table_path;     // Of a model backend; empty: measure.
  bool fast = false;               // A model backend answers at once.
  std::string program;             // Path of bitpilotd, to start the worker.
  std::string meter;               // A meter program's command line, or empty.
  std::string energy_source;       // As ChooseEnergySource() takes it.
  double energy_tolerance = kDefaultEnergyTolerance;
  std::string metrics_path;  // Written every now and then (metrics_file.h); empty: no such file.
};

struct ServerAddress {
  std::string endpoint;  // Empty if it only connects.
  std::string public_key;
  std::vector<std::string> connects_to;
};

// Serves until SIGINT or SIGTERM. The list of authorized agents is read again whenever it changes, and
// upon SIGHUP; agents that are no longer on it are cut off at once, from sessions, lease, running jobs
// and results. A list that is empty, missing or unreadable authorizes nobody. Nothing that a peer sends
// ends it. Refused peers are logged on standard error (log.h).
//
// on_ready: called once, when agents can connect.
//
// Errors: whatever keeps the daemon from starting: keys, allow-list, store, cost table, a meter or
// energy source that was named and cannot be used, libzmq, a port in use, a self-test that let a
// stranger in.
Status Serve(const ServerOptions& options,
             const std::function<void(const ServerAddress&)>& on_ready);

}  // namespace bitpilot
