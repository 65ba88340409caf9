#include "agent/qat/channel_statistics.h"

#include <algorithm>

namespace bitpilot {

std::vector<ChannelStatistics> MeasureChannels(std::span<const float> values,
                                               std::size_t channels) {
  constexpr std::size_t kRowBlock = 256;  // Rows summed in float before the sums move on to double.
  const std::size_t rows = values.size() / channels;
  std::vector<double> sum(channels, 0.0);
  std::vector<double> squares(channels, 0.0);
  std::vector<float> block_sum(channels);
  std::vector<float> block_squares(channels);
  for (std::size_t begin = 0; begin < rows; begin += kRowBlock) {
    std::fill(block_sum.begin(), block_sum.end(), 0.0F);
    std::fill(block_squares.begin(), block_squares.end(), 0.0F);
    for (std::size_t row = begin; row < std::min(rows, begin + kRowBlock); ++row) {
      const float* x = values.data() + row * channels;
      for (std::size_t c = 0; c < channels; ++c) {
        block_sum[c] += x[c];
        block_squares[c] += x[c] * x[c];
      }
    }
    for (std::size_t c = 0; c < channels; ++c) {
      sum[c] += block_sum[c];
      squares[c] += block_squares[c];
    }
  }
  std::vector<ChannelStatistics> statistics(channels);
  const auto count = static_cast<double>(rows);
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = sum[c] / count;
    statistics[c] = {static_cast<float>(mean),
                     static_cast<float>(std::max(0.0, squares[c] / count - mean * mean))};
  }
  return statistics;
}

}  // namespace bitpilot
