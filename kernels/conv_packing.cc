#include "kernels/conv_packing.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace bitpilot {
namespace {

std::ptrdiff_t NumSteps(const WindowSegment& segment, ConvOperand operand) {
  const int per_step = ElementsPerStep(operand);
  return (segment.num_elements + per_step - 1) / per_step;
}

// Weight of the segment's element, 0 where it is no channel of the group.
std::int8_t WeightAt(const ConvWindow& window, const WindowSegment& segment, std::ptrdiff_t element,
                     const std::int8_t* channel_codes) {
  if (element >= segment.num_elements) {
    return 0;
  }
  const std::ptrdiff_t x = segment.x + element / window.pixel_bytes;
  const std::ptrdiff_t channel = element % window.pixel_bytes;
  if (channel >= window.group_channels) {
    return 0;
  }
  return channel_codes[(segment.y * window.filter_w + x) * window.group_channels + channel];
}

void StoreWeight(ConvOperand operand, std::int8_t weight, int element, std::uint8_t* lane) {
  if (operand == ConvOperand::kBytes) {
    lane[element] = static_cast<std::uint8_t>(weight);
  } else {
    const std::int16_t word = weight;
    std::memcpy(lane + 2 * element, &word, sizeof(word));
  }
}

}  // namespace

std::vector<WindowSegment> WindowSegments(const ConvWindow& window) {
  std::vector<WindowSegment> segments;
  for (int y = 0; y < window.filter_h; ++y) {
    const std::ptrdiff_t row = y * window.row_bytes;
    if (window.all_channels) {
      segments.push_back({y, 0, row, window.filter_w * window.pixel_bytes});
      continue;
    }
    for (int x = 0; x < window.filter_w; ++x) {
      segments.push_back(
          {y, x, row + x * window.pixel_bytes + window.first_channel, window.group_channels});
    }
  }
  return segments;
}

std::vector<DepthRun> PlanRuns(std::span<const WindowSegment> segments, ConvOperand operand,
                               int period) {
  const std::ptrdiff_t limit = period > 0 ? period : std::numeric_limits<std::int32_t>::max();
  const std::ptrdiff_t bytes_per_element = 4 / ElementsPerStep(operand);
  std::vector<DepthRun> runs;
  std::ptrdiff_t budget = limit;
  for (const WindowSegment& segment : segments) {
    std::ptrdiff_t offset = segment.offset_bytes * bytes_per_element;
    for (std::ptrdiff_t left = NumSteps(segment, operand); left > 0;) {
      const std::ptrdiff_t steps = std::min(left, budget);
      runs.push_back({static_cast<std::int32_t>(offset), static_cast<std::int32_t>(steps), false});
      offset += 4 * steps;
      left -= steps;
      budget -= steps;
      if (budget == 0) {
        runs.back().widen = true;
        budget = limit;
      }
    }
  }
  runs.back().widen = false;  // A kernel widens at the end in any case.
  runs.push_back({});
  return runs;
}

AlignedBuffer PackWeights(const ConvWindow& window, ConvOperand operand, const std::int8_t* codes,
                          int num_channels) {
  const std::vector<WindowSegment> segments = WindowSegments(window);
  std::ptrdiff_t steps_per_block = 0;
  for (const WindowSegment& segment : segments) {
    steps_per_block += NumSteps(segment, operand);
  }
  const std::ptrdiff_t depth =
      static_cast<std::ptrdiff_t>(window.filter_h) * window.filter_w * window.group_channels;
  const int num_blocks = (num_channels + kBlockChannels - 1) / kBlockChannels;
  AlignedBuffer packed(static_cast<std::size_t>(num_blocks * steps_per_block * kStepBytes));
  for (int o = 0; o < num_channels; ++o) {
    std::uint8_t* lane = packed.data() + o / kBlockChannels * steps_per_block * kStepBytes +
                         4 * (o % kBlockChannels);
    for (const WindowSegment& segment : segments) {
      for (std::ptrdiff_t step = 0; step < NumSteps(segment, operand); ++step) {
        for (int i = 0; i < ElementsPerStep(operand); ++i) {
          const std::int8_t weight =
              WeightAt(window, segment, step * ElementsPerStep(operand) + i, codes + o * depth);
          StoreWeight(operand, weight, i, lane);
        }
        lane += kStepBytes;
      }
    }
  }
  return packed;
}

}  // namespace bitpilot
