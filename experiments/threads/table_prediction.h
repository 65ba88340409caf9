// Whether a table of layer times by several threads predicts networks that it has not seen.
#pragma once

#include <string>

#include "device_daemon/measurement/core_threads.h"
#include "kernels/base/status.h"
#include "kernels/cpu/isa.h"

namespace bitpilot {

struct PredictionErrors {
  double median = 0.0;  // of the ratio to 8 bit, as a fraction
  double worst = 0.0;
};

// Measures the table of `network` (MeasureCostTable()), then `count` networks of seeded widths 2 to 8
// in alternation with 8 bit, `rounds` of each; wall times, medians of the ratios. One to some minutes.
//
// Errors: StandardTopology()'s, MeasureCostTable()'s, CompiledNetwork::Create()'s.
Result<PredictionErrors> PredictByTable(const std::string& network, Isa isa,
                                        const CoreThreads& threads, int count, int rounds);

}  // namespace bitpilot
