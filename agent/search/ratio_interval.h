// The ratio of two latencies that were measured in interleaved rounds.
#pragma once

#include <span>

#include "kernels/base/window_statistics.h"

namespace bitpilot {

// Median, with its exact interval, of candidate_ns[round] / reference_ns[round]: what disturbed a
// whole round cancels. Rounds beyond the shorter list are ignored.
//
// REQUIRES: at least one common round; positive times.
MedianInterval RatioOfRounds(std::span<const double> candidate_ns,
                             std::span<const double> reference_ns);

}  // namespace bitpilot
