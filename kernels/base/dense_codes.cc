#include "kernels/base/dense_codes.h"

#include <algorithm>

#include "kernels/base/check.h"

namespace bitpilot {

std::size_t NumStoredChannels(const LayerWeights& weights, std::size_t channels) {
  const auto begin = weights.channel_bits.begin();
  return static_cast<std::size_t>(std::count_if(begin,
                                                begin + static_cast<std::ptrdiff_t>(channels),
                                                [](std::uint8_t bits) { return bits > 0; }));
}

std::vector<std::int8_t> DenseCodes(const LayerWeights& weights, std::size_t first,
                                    std::size_t count, std::size_t depth) {
  BITPILOT_CHECK(first + count <= weights.channel_bits.size());
  std::vector<std::int8_t> dense(count * depth);
  const std::int8_t* stored = weights.codes.data() + NumStoredChannels(weights, first) * depth;
  for (std::size_t c = 0; c < count; ++c) {
    if (weights.channel_bits[first + c] == 0) continue;
    std::copy_n(stored, depth, dense.data() + c * depth);
    stored += depth;
  }
  return dense;
}

}  // namespace bitpilot
