#include "agent/qat/channel_statistics.h"

#include <algorithm>

#include "agent/qat/parallel_for.h"
#include "agent/qat/vector_clones.h"

namespace bitpilot {
namespace {

constexpr std::size_t kRowBlock = 256;  // Rows summed in float before the sums move on to double.
constexpr std::size_t kGroup = 16;      // Channels whose sums stay in registers.
constexpr std::size_t kRowsOfAPart = 64 * kRowBlock;  // What one thread sums at a time.

struct Sums {
  std::vector<double> values;
  std::vector<double> squares;
};

// Sums of kGroup channels over a block of rows, row after row. `x`: the first row's.
BITPILOT_CLONES void SumGroup(const float* __restrict x, std::size_t rows, std::size_t channels,
                              float* __restrict values, float* __restrict squares) {
  float group_values[kGroup] = {};
  float group_squares[kGroup] = {};
  for (std::size_t row = 0; row < rows; ++row, x += channels) {
    for (std::size_t c = 0; c < kGroup; ++c) {
      group_values[c] += x[c];
      group_squares[c] += x[c] * x[c];
    }
  }
  for (std::size_t c = 0; c < kGroup; ++c) {
    values[c] = group_values[c];
    squares[c] = group_squares[c];
  }
}

// The channels after the last whole group.
void SumRest(const float* x, std::size_t rows, std::size_t channels, std::size_t first,
             std::vector<float>& values, std::vector<float>& squares) {
  for (std::size_t c = first; c < channels; ++c) {
    values[c] = 0.0F;
    squares[c] = 0.0F;
    for (std::size_t row = 0; row < rows; ++row) {
      const float value = x[row * channels + c];
      values[c] += value;
      squares[c] += value * value;
    }
  }
}

Sums SumRows(const float* x, std::size_t rows, std::size_t channels) {
  Sums sums{std::vector<double>(channels), std::vector<double>(channels)};
  std::vector<float> block_values(channels);
  std::vector<float> block_squares(channels);
  const std::size_t whole = channels - channels % kGroup;
  for (std::size_t begin = 0; begin < rows; begin += kRowBlock) {
    const std::size_t count = std::min(kRowBlock, rows - begin);
    const float* block = x + begin * channels;
    for (std::size_t c = 0; c < whole; c += kGroup) {
      SumGroup(block + c, count, channels, &block_values[c], &block_squares[c]);
    }
    SumRest(block, count, channels, whole, block_values, block_squares);
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
