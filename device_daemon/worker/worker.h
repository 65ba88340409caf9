// The measuring worker: the process that runs networks, so that a crash, a hang or a network that
// eats all memory is a status of one request and not the end of the daemon.
//
// `bitpilotd worker` is started by the daemon only (device_daemon/worker/worker_process.h). It
// reads InferRequest, MeasureRequest and EnergyRunRequest messages from one end of a socket pair
// and answers each with InferResult, MeasureResult, EnergyRunResult or Error; between them it sends
// MeasureProgress as a sign of life, and BoardBaseline when it saw the board at a new best. Ahead of
// the first request comes the BoardBaseline that earlier workers saw.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "kernels/cpu/isa.h"

namespace bitpilot {

// Descriptor of the worker's end of the socket pair.
inline constexpr int kWorkerDescriptor = 3;

struct WorkerOptions {
  std::string store;            // Folder of the artifacts.
  std::string isa;              // Highest instruction set that may be used.
  int cpu = 0;                  // The CPU that it keeps to.
  std::string cost_table_path;  // Of a model backend; empty: measure.
  bool fast = false;            // A model backend answers at once.
  std::uint64_t memory_bytes = 0;
  bool shares_agent_host = false;  // As BoardWatchOptions.
  pid_t parent = 0;
};

// Serves until the daemon closes the channel. Returns the exit code: 0, or 1 with the reason on
// standard error.
int RunWorker(const WorkerOptions& options);

}  // namespace bitpilot
