// A network's time on this CPU, for people who ask "how fast is it here?": warm, cold, and where
// the time goes. `bitpilotd bench` prints it; searches measure through
// device_daemon/measurement/measurement.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "device_daemon/measurement/latency_sampler.h"
#include "kernels/base/network.h"
#include "kernels/base/window_statistics.h"
#include "kernels/cpu/isa.h"
#include "kernels/runtime/thread_pool.h"

namespace bitpilot {

struct OperationBench {
  std::string name;
  std::string kernel;
  double cpu_median_ns = 0.0;
  std::int64_t macs = 0;
};

struct NetworkBench {
  MedianInterval latency_ns;        // warm, wall time of one inference
  int num_threads = 1;              // that share an inference
  double cpu_median_ns = 0.0;       // warm, thread CPU time; of several threads, as PoolClock
  double cold_cpu_median_ns = 0.0;  // the caches filled with other data before each inference
  std::string disturbance;          // why the warm figures must not be trusted; empty if they may
  double plan_ns = 0.0;             // wall time of choosing the kernels, packing included
  std::string peak_instructions;    // kernels/cpu/peak_loop.h: as fast as registers allow,
  double peak_macs_per_ns = 0.0;    // of one core, in turn with the warm runs, thread CPU time
  std::int64_t macs = 0;
  std::int64_t weight_arena_bytes = 0;  // as packed for the kernels
  std::int64_t activation_arena_bytes = 0;
  std::vector<OperationBench> operations;

  // Of the peak's multiply-accumulates on as many cores, in [0, 1]; fewer bits than 8 may exceed it.
  double fraction_of_peak() const {
    return static_cast<double>(macs) / cpu_median_ns / (num_threads * peak_macs_per_ns);
  }
};

// Measures `network` on the calling thread, whose affinity and scheduler stay as they are, and on
// those of `pool`, where one is given; where one thread is faster, on that alone. Takes two to eight
// seconds; `progress` is called in between.
//
// clock: with a pool, a PoolClock (core_threads.h).
//
// Errors:
//   kInvalidArgument, kUnsupported, kResourceExhausted  CompiledNetwork::Create's.
Result<NetworkBench> BenchNetwork(const Network& network, Isa isa, ThreadPool* pool,
                                  MeasureClock& clock, const ProgressFunction& progress);

}  // namespace bitpilot
