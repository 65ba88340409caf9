// Where a network's time goes: the median time of each operation over single inferences.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "device_daemon/measurement/latency_sampler.h"
#include "kernels/compiled_network.h"

namespace bitpilot {

// Time of each operation (CompiledNetwork::RunTimed()), ns, [num_operations]: the medians of at least
// one and at most 101 inferences, as many as fit into `budget_ns` of wall time.
//
// REQUIRES: both spans have exactly the network's sizes.
std::vector<double> OperationMediansNs(CompiledNetwork& network,
                                       std::span<const std::uint8_t> pixels,
                                       std::span<float> logits, MeasureClock& clock,
                                       std::int64_t budget_ns);

}  // namespace bitpilot
