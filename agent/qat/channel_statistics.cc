#include "agent/qat/channel_statistics.h"

#include <algorithm>

#include "agent/qat/parallel_for.h"

namespace bitpilot {
namespace {

constexpr std::size_t kRowBlock = 256;  // Rows summed in float before the sums move on to double.
constexpr std::size_t kRowsOfAPart = 64 * kRowBlock;  // What one thread sums at a time.

struct Sums {
  std::vector<double> values;
  std::vector<double> squares;
};

Sums SumRows(const float* x, std::size_t rows, std::size_t channels) {
  Sums sums{std::vector<double>(channels), std::vector<double>(channels)};
  std::vector<float> block_values(channels);
  std::vector<float> block_squares(channels);
  for (std::size_t begin = 0; begin < rows; begin += kRowBlock) {
    std::fill(block_values.begin(), block_values.end(), 0.0F);
    std::fill(block_squares.begin(), block_squares.end(), 0.0F);
    for (std::size_t row = begin; row < std::min(rows, begin + kRowBlock); ++row, x += channels) {
      for (std::size_t c = 0; c < channels; ++c) {
        block_values[c] += x[c];
        block_squares[c] += x[c] * x[c];
      }
    }
    for (std::size_t c = 0; c < channels; ++c) {
      sums.values[c] += block_values[c];
      sums.squares[c] += block_squares[c];
    }
  }
  return sums;
}

}  // namespace

std::vector<ChannelStatistics> MeasureChannels(std::span<const float> values,
                                               std::size_t channels) {
  const std::size_t rows = values.size() / channels;
  std::vector<Sums> parts((rows + kRowsOfAPart - 1) / kRowsOfAPart);
  ParallelFor(parts.size(), [&](std::size_t i) {
    const std::size_t begin = i * kRowsOfAPart;
    parts[i] =
        SumRows(values.data() + begin * channels, std::min(kRowsOfAPart, rows - begin), channels);
  });
  std::vector<ChannelStatistics> statistics(channels);
  const auto count = static_cast<double>(rows);
  for (std::size_t c = 0; c < channels; ++c) {
    double sum = 0.0;
    double squares = 0.0;
    for (const Sums& part : parts) {
      sum += part.values[c];
      squares += part.squares[c];
    }
    const double mean = sum / count;
    statistics[c] = {static_cast<float>(mean),
                     static_cast<float>(std::max(0.0, squares / count - mean * mean))};
  }
  return statistics;
}

}  // namespace bitpilot
