// Weights as bit planes: the binary decomposition of EBS ("Efficient Bitwidth Search for Practical
// Mixed Precision Neural Network", arXiv:2003.07577).
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <numeric>

#include "kernels/conv/conv_packing.h"

namespace bitpilot {
namespace {

// Consecutive bytes of a plane's window.
struct PlaneSegment {
  int y = 0;
  std::ptrdiff_t first_byte = 0;  // From the filter row's first pixel.
  std::ptrdiff_t num_bytes = 0;
};

std::vector<PlaneSegment> PlaneSegments(const ConvWindow& window) {
  const std::ptrdiff_t pixel = PlanePixelBytes(window.pixel_bytes);
  const std::ptrdiff_t first = window.first_channel / 8;
  const std::ptrdiff_t end = (window.first_channel + window.group_channels + 7) / 8;
  std::vector<PlaneSegment> segments;
  for (int y = 0; y < window.filter_h; ++y) {
    if (window.all_channels) {
      segments.push_back({y, 0, window.filter_w * pixel});
      continue;
    }
    for (int x = 0; x < window.filter_w; ++x) {
      segments.push_back({y, x * pixel + first, end - first});
    }
  }
  return segments;
}

std::ptrdiff_t StepBytes(ConvOperand operand) {
  return operand == ConvOperand::kSignPlanes ? 4 : 8;
}

std::ptrdiff_t NumSteps(const PlaneSegment& segment, ConvOperand operand) {
  return (segment.num_bytes + StepBytes(operand) - 1) / StepBytes(operand);
}

// Index among a channel's codes of the element at `bit` of the segment, or -1 for none.
std::ptrdiff_t ElementAt(const ConvWindow& window, const PlaneSegment& segment,
                         std::ptrdiff_t bit) {
  const std::ptrdiff_t pixel = PlanePixelBytes(window.pixel_bytes);
  if (bit >= 8 * segment.num_bytes) {
    return -1;
  }
  const std::ptrdiff_t byte = segment.first_byte + bit / 8;
  const std::ptrdiff_t channel = byte % pixel * 8 + bit % 8 - window.first_channel;
  if (channel < 0 || channel >= window.group_channels) {
    return -1;
  }
  return (segment.y * window.filter_w + byte / pixel) * window.group_channels + channel;
}

// Calls f(step, bit of the step, element) for every element of the window.
template <class F>
void ForEachElement(const ConvWindow& window, ConvOperand operand, F f) {
  const std::ptrdiff_t step_bits = 8 * StepBytes(operand);
  std::ptrdiff_t first_step = 0;
  for (const PlaneSegment& segment : PlaneSegments(window)) {
    for (std::ptrdiff_t bit = 0; bit < 8 * segment.num_bytes; ++bit) {
      const std::ptrdiff_t element = ElementAt(window, segment, bit);
      if (element >= 0) {
        f(first_step + bit / step_bits, bit % step_bits, element);
      }
    }
    first_step += NumSteps(segment, operand);
  }
}

void SetBit(std::uint8_t* bytes, std::ptrdiff_t bit) {
  bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | 1 << bit % 8);
}

void AddInt32(std::uint8_t* to, std::int32_t value) {
  std::int32_t sum;
  std::memcpy(&sum, to, sizeof(sum));
  sum += value;
  std::memcpy(to, &sum, sizeof(sum));
}

}  // namespace

std::vector<DepthRun> PlanPlaneRuns(const ConvWindow& window, ConvOperand operand) {
  const std::ptrdiff_t row_bytes =
      window.row_bytes / window.pixel_bytes * PlanePixelBytes(window.pixel_bytes);
  std::vector<DepthRun> runs;
  for (const PlaneSegment& segment : PlaneSegments(window)) {
    runs.push_back({static_cast<std::int32_t>(segment.y * row_bytes + segment.first_byte),
                    static_cast<std::int32_t>(NumSteps(segment, operand)), 0, false});
  }
  runs.push_back({});
  return runs;
}

AlignedBuffer PackWeightPlanes(const ConvWindow& window, int weight_bits, const std::int8_t* codes,
                               int num_channels) {
  constexpr ConvOperand kOperand = ConvOperand::kPlanes64;
  std::ptrdiff_t num_steps = 0;
  for (const PlaneSegment& segment : PlaneSegments(window)) {
    num_steps += NumSteps(segment, kOperand);
  }
  const std::ptrdiff_t plane_bytes = num_steps * StepBytes(kOperand) * kBlockChannels;
  const std::ptrdiff_t block_bytes = std::max(weight_bits, 2) * plane_bytes;
  const std::ptrdiff_t step_bytes = StepBytes(kOperand);
  const std::ptrdiff_t depth =
      static_cast<std::ptrdiff_t>(window.filter_h) * window.filter_w * window.group_channels;
  AlignedBuffer packed(static_cast<std::size_t>(NumBlocks(num_channels) * block_bytes));
  for (int o = 0; o < num_channels; ++o) {
    std::uint8_t* lane =
        packed.data() + o / kBlockChannels * block_bytes + o % kBlockChannels * step_bytes;
    ForEachElement(window, kOperand, [&](auto step, auto bit, auto element) {
      const int code = codes[o * depth + element];
      // At 1 bit: the sign and, as the second plane, the mask.
      const int planes = weight_bits == 1 ? 2 + static_cast<int>(code > 0) : code;
      for (int q = 0; q < std::max(weight_bits, 2); ++q) {
        if ((planes >> q & 1) != 0) {
          SetBit(lane + q * plane_bytes + step * step_bytes * kBlockChannels, bit);
        }
      }
    });
  }
  return packed;
}

PackedConv PackSignPlanes(const ConvWindow& window, int weight_bits, const std::int8_t* codes,
                          int num_channels) {
  constexpr ConvOperand kOperand = ConvOperand::kSignPlanes;
  const std::ptrdiff_t depth =
      static_cast<std::ptrdiff_t>(window.filter_h) * window.filter_w * window.group_channels;
  PackedConv packed;
  packed.runs = PlanPlaneRuns(window, kOperand);
  packed.weight_planes = std::max(weight_bits - 1, 1);
  // Where a step's packed signs begin, and the number of negative ones of its run.
  std::vector<std::ptrdiff_t> step_offsets;
  std::vector<std::ptrdiff_t> count_offsets;
  const auto num_steps =
      std::accumulate(packed.runs.begin(), packed.runs.end(), std::ptrdiff_t{0},
                      [](std::ptrdiff_t sum, const DepthRun& run) { return sum + run.num_steps; });
  packed.masks_planes = weight_bits > 1 || 8 * StepBytes(kOperand) * num_steps != depth;
  for (const DepthRun& run : packed.runs) {
    if (run.num_steps == 0) break;
    const std::ptrdiff_t count_offset = packed.weight_plane_bytes;
    packed.weight_plane_bytes += kStepBytes;
    for (int step = 0; step < run.num_steps; ++step) {
      count_offsets.push_back(count_offset);
      step_offsets.push_back(packed.weight_plane_bytes);
      packed.weight_plane_bytes += (packed.masks_planes ? 2 : 1) * kStepBytes;
    }
  }
  const std::ptrdiff_t block_bytes = packed.weight_planes * packed.weight_plane_bytes;
  packed.weights = AlignedBuffer(static_cast<std::size_t>(NumBlocks(num_channels) * block_bytes));
  for (int o = 0; o < num_channels; ++o) {
    std::uint8_t* lane = packed.weights.data() + o / kBlockChannels * block_bytes +
                         StepBytes(kOperand) * (o % kBlockChannels);
    ForEachElement(window, kOperand, [&](auto step, auto bit, auto element) {
      const int code = codes[o * depth + element];
      for (int q = 0; q < packed.weight_planes; ++q) {
        if ((std::abs(code) >> q & 1) == 0) continue;
        std::uint8_t* plane = lane + q * packed.weight_plane_bytes;
        std::uint8_t* signs = plane + step_offsets[static_cast<std::size_t>(step)];
        if (packed.masks_planes) SetBit(signs + kStepBytes, bit);
        if (code < 0) {
          SetBit(signs, bit);
          AddInt32(plane + count_offsets[static_cast<std::size_t>(step)], 1 << q);
        }
      }
    });
  }
  return packed;
}

}  // namespace bitpilot
