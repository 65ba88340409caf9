// The cost table of this CPU for one network's layers: what `bitpilotd bench --table` prints.
//
// For every pair of widths the network is uniform at them and timed, operation by operation, in
// alternation with the same network at 8 bit. Its times are scaled so that they add up to the time
// of a run without timers, and so that 8 bit takes as long as it did at the start: the machine's
// drift and the timers' own time cancel.
#pragma once

#include <string>

#include "device_daemon/measurement/core_threads.h"
#include "device_daemon/measurement/latency_sampler.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/topology.h"
#include "kernels/cpu/isa.h"

namespace bitpilot {

// Every layer of `topology` at every width of weights and activations from 1 to 8, in thread CPU
// time, by several threads as PoolClock tells it; 64 networks of about 0.05 to 1 s each. `progress`
// counts them. `threads` begins with the one that calls; the table names core and number.
//
// Errors:
//   kUnsupported, kResourceExhausted  CompiledNetwork::Create's.
Result<CostTable> MeasureCostTable(const Topology& topology, const std::string& name, Isa isa,
                                   const CoreThreads& threads, const ProgressFunction& progress);

}  // namespace bitpilot
