// Requantization to codes of one or two bits as comparisons: which codes a sum gives is decided by
// where it stands among a few thresholds, one for each code but the lowest.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/output/output_args.h"

namespace bitpilot {

// With n = `count`, the code of a sum in channel c is the number of thresholds k with
//
//   sum >= sums[k * padded channels + c]
//
// and where flips[c] is 0xFF instead of 0 (negative scales), n minus that number.
struct CodeThresholds {
  int count = 0;                    // 1 or 3; 0: none.
  std::vector<std::int32_t> sums;   // [count][channels, padded], from the lowest to the highest
  std::vector<std::uint8_t> flips;  // [channels, padded]
};

// Of an output stage: found by bisection of the normative function, so right for every sum,
// correction included, of magnitude up to `largest_sum`. None if codes may be larger than
// kMaxCodeThresholds, if there is a residual, or if sums or thresholds could leave the range of an
// int32. Reads the code range, the zero point and the arrays of scales and biases.
CodeThresholds FindCodeThresholds(const OutputArgs& args, bool has_residual,
                                  std::int64_t largest_sum);

}  // namespace bitpilot
