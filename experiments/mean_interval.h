// The mean of independent values, such as one figure of each seed, with Student's 95 % interval.
#pragma once

#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/base/window_statistics.h"

namespace bitpilot {

// REQUIRES: not empty.
inline double MeanOf(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Half of the interval's width. REQUIRES: two values or more.
inline double HalfWidth95(const std::vector<double>& values) {
  const double mean = MeanOf(values);
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const auto count = static_cast<double>(values.size());
  return StudentT95(static_cast<int>(values.size()) - 1) *
         std::sqrt(squares / (count - 1.0) / count);
}

}  // namespace bitpilot
