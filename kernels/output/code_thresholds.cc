#include "kernels/output/code_thresholds.h"

#include <cstddef>

#include "kernels/output/requantize.h"

namespace bitpilot {
namespace {

// The lowest sum in [-largest, largest] for which f holds, as it does for all above; largest + 1
// where there is none.
template <class F>
std::int32_t LowestSum(std::int32_t largest, F f) {
  std::int32_t low = -largest;
  std::int32_t high = largest + 1;
  while (low < high) {
    const std::int32_t middle = low + (high - low) / 2;
    if (f(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace

CodeThresholds FindCodeThresholds(const OutputArgs& args, bool has_residual,
                                  std::int64_t largest_sum) {
  constexpr std::int64_t kLargestSum = 1 << 29;
  CodeThresholds thresholds;
  if (has_residual || args.code_max > kMaxCodeThresholds || largest_sum > kLargestSum) {
    return thresholds;
  }
  thresholds.count = args.code_max <= 1.0F ? 1 : kMaxCodeThresholds;
  const auto largest = static_cast<std::int32_t>(largest_sum);
  const int channels = NumBlocks(args.channels) * kBlockChannels;
  thresholds.sums.resize(static_cast<std::size_t>(thresholds.count * channels));
  thresholds.flips.resize(static_cast<std::size_t>(channels));
  for (int c = 0; c < channels; ++c) {
    const bool falls = args.scale[c] < 0.0F;
    thresholds.flips[static_cast<std::size_t>(c)] = falls ? 0xFF : 0;
    for (int k = 0; k < thresholds.count; ++k) {
      thresholds.sums[static_cast<std::size_t>(k * channels + c)] =
          LowestSum(largest, [&](std::int32_t sum) {
            const int code = ClampToCode(Rescale(sum, args.scale[c], args.bias[c]), args.zero_point,
                                         args.code_min, args.code_max);
            return (falls ? thresholds.count - code : code) > k;
          });
    }
  }
  return thresholds;
}

}  // namespace bitpilot
