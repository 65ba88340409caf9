// Mean and variance per channel: what batch normalization keeps and calibration measures.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace bitpilot {

struct ChannelStatistics {
  float mean = 0.0F;
  float variance = 0.0F;
  friend bool operator==(const ChannelStatistics&, const ChannelStatistics&) = default;
};

// [layers][O], [] where a layer has no batch norm.
using LayerStatistics = std::vector<std::vector<ChannelStatistics>>;

// Statistics over all rows of `values`, [rows, channels]; the variance is the biased one, as batch
// norm normalizes with.
//
// REQUIRES: at least one row.
std::vector<ChannelStatistics> MeasureChannels(std::span<const float> values, std::size_t channels);

}  // namespace bitpilot
