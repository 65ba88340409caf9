#include "kernels/conv/conv_packing.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace bitpilot {
namespace {

std::ptrdiff_t NumSteps(const WindowSegment& segment, ConvOperand operand) {
  const int per_step = ElementsPerStep(operand);
  const std::ptrdiff_t steps = (segment.num_elements + per_step - 1) / per_step;
  if (operand == ConvOperand::kTiles) {
    const std::ptrdiff_t tiles = (steps + kTileSteps - 1) / kTileSteps;
    return tiles * ((steps + tiles - 1) / tiles);
  }
  return steps;
}

// Weight of the segment's element, 0 where it is no channel of the group.
std::int8_t WeightAt(const ConvWindow& window, const WindowSegment& segment, std::ptrdiff_t element,
                     const std::int8_t* channel_codes) {
  if (element >= segment.num_elements) {
    return 0;
  }
  const std::ptrdiff_t x = segment.x + element / window.pixel_bytes;
  const std::ptrdiff_t channel = element % window.pixel_bytes - segment.num_foreign;
  if (channel < 0 || channel >= window.group_channels) {
    return 0;
  }
  return channel_codes[(segment.y * window.filter_w + x) * window.group_channels + channel];
}

std::ptrdiff_t NumSteps(const ConvWindow& window, ConvOperand operand) {
  std::ptrdiff_t steps = 0;
  for (const WindowSegment& segment : WindowSegments(window, operand)) {
    steps += NumSteps(segment, operand);
  }
  return steps;
}

// Calls f(step, element of the step, weight) for every place in a channel's steps.
template <class F>
void ForEachWeight(const ConvWindow& window, ConvOperand operand, const std::int8_t* channel_codes,
                   F f) {
  std::ptrdiff_t first_step = 0;
  for (const WindowSegment& segment : WindowSegments(window, operand)) {
    const std::ptrdiff_t num_steps = NumSteps(segment, operand);
    for (std::ptrdiff_t step = 0; step < num_steps; ++step) {
      for (int i = 0; i < ElementsPerStep(operand); ++i) {
        f(first_step + step, i,
          WeightAt(window, segment, step * ElementsPerStep(operand) + i, channel_codes));
      }
    }
    first_step += num_steps;
  }
}

std::ptrdiff_t Depth(const ConvWindow& window) {
  return static_cast<std::ptrdiff_t>(window.filter_h) * window.filter_w * window.group_channels;
}

void StoreWeight(ConvOperand operand, std::int8_t weight, int element, std::uint8_t* lane) {
  if (operand != ConvOperand::kWords) {
    lane[element] = static_cast<std::uint8_t>(weight);
  } else {
    const std::int16_t word = weight;
    std::memcpy(lane + 2 * element, &word, sizeof(word));
  }
}

}  // namespace

std::vector<WindowSegment> WindowSegments(const ConvWindow& window, ConvOperand operand) {
  // Tables are of 4 channels from a multiple of 4 on.
  const int num_foreign = operand == ConvOperand::kTables ? window.first_channel % 4 : 0;
  std::vector<WindowSegment> segments;
  for (int y = 0; y < window.filter_h; ++y) {
    const std::ptrdiff_t row = y * window.row_bytes;
    if (window.all_channels) {
      segments.push_back(
          {.y = y, .offset_bytes = row, .num_elements = window.filter_w * window.pixel_bytes});
      continue;
    }
    for (int x = 0; x < window.filter_w; ++x) {
      segments.push_back(
          {.y = y,
           .x = x,
           .offset_bytes = row + x * window.pixel_bytes + window.first_channel - num_foreign,
           .num_elements = window.group_channels + num_foreign,
           .num_foreign = num_foreign});
    }
  }
  return segments;
}

std::vector<DepthRun> PlanRuns(std::span<const WindowSegment> segments, ConvOperand operand,
                               int period) {
  const std::ptrdiff_t limit = period > 0 ? period : std::numeric_limits<std::int32_t>::max();
  const std::ptrdiff_t step_bytes = InputStepBytes(operand);
  std::vector<DepthRun> runs;
  std::ptrdiff_t budget = limit;
  for (const WindowSegment& segment : segments) {
    std::ptrdiff_t offset = segment.offset_bytes * step_bytes / ElementsPerStep(operand);
    auto skipped = static_cast<std::int32_t>(segment.skipped_steps);
    for (std::ptrdiff_t left = NumSteps(segment, operand); left > 0; skipped = 0) {
      const std::ptrdiff_t steps = std::min(left, budget);
      runs.push_back(
          {static_cast<std::int32_t>(offset), static_cast<std::int32_t>(steps), skipped, false});
      offset += step_bytes * steps;
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
  const std::ptrdiff_t block_bytes = NumSteps(window, operand) * kStepBytes;
  AlignedBuffer packed(static_cast<std::size_t>(NumBlocks(num_channels) * block_bytes));
  for (int o = 0; o < num_channels; ++o) {
    std::uint8_t* lane =
        packed.data() + o / kBlockChannels * block_bytes + 4 * (o % kBlockChannels);
    ForEachWeight(window, operand, codes + o * Depth(window),
                  [&](std::ptrdiff_t step, int element, std::int8_t weight) {
                    StoreWeight(operand, weight, element, lane + step * kStepBytes);
                  });
  }
  return packed;
}

AlignedBuffer PackWeightFields(const ConvWindow& window, int field_bits, const std::int8_t* codes,
                               int num_channels) {
  constexpr std::ptrdiff_t kWordBytes = sizeof(std::uint64_t);
  const std::ptrdiff_t element_bytes = FieldWords(field_bits) * kWordBytes;
  const std::ptrdiff_t block_bytes = NumSteps(window, ConvOperand::kFields) * 4 * element_bytes;
  AlignedBuffer packed(static_cast<std::size_t>(NumBlocks(num_channels) * block_bytes));
  for (int o = 0; o < num_channels; ++o) {
    const int field = o % kBlockChannels;
    std::uint8_t* block = packed.data() + o / kBlockChannels * block_bytes +
                          field / FieldsPerWord(field_bits) * kWordBytes;
    const int shift = field % FieldsPerWord(field_bits) * field_bits;
    ForEachWeight(window, ConvOperand::kFields, codes + o * Depth(window),
                  [&](std::ptrdiff_t step, int element, std::int8_t weight) {
                    std::uint8_t* place = block + (4 * step + element) * element_bytes;
                    std::uint64_t word;
                    std::memcpy(&word, place, sizeof(word));
                    word += static_cast<std::uint64_t>(std::int64_t{weight}) << shift;
                    std::memcpy(place, &word, sizeof(word));
                  });
  }
  return packed;
}

AlignedBuffer PackDenseWeights(const ConvWindow& window, ConvOperand operand,
                               const std::int8_t* codes, int num_channels) {
  const int bits = DenseBits(operand);
  const int fields = 8 / bits;
  const std::ptrdiff_t num_steps = NumSteps(window, operand);
  const int num_blocks = NumBlocks(num_channels);
  // Vectors of 16 channels x 4 bytes that a step of `blocks` blocks takes.
  const auto vectors = [fields](int blocks) { return (blocks + fields - 1) / fields; };
  AlignedBuffer packed(static_cast<std::size_t>(vectors(num_blocks) * num_steps * kStepBytes));
  for (int o = 0; o < num_channels; ++o) {
    const int block = o / kBlockChannels;
    const int group_begin = block / kDenseGroupBlocks * kDenseGroupBlocks;
    const int group_blocks = std::min(num_blocks - group_begin, kDenseGroupBlocks);
    const int field = (block - group_begin) % fields;
    // The highest field has its sign, the others are offset to be unsigned.
    const int offset = field == fields - 1 ? 0 : 1 << (bits - 1);
    std::uint8_t* lane =
        packed.data() + 4 * (o % kBlockChannels) +
        (vectors(group_begin) * num_steps + (block - group_begin) / fields) * kStepBytes;
    ForEachWeight(window, operand, codes + o * Depth(window),
                  [&](std::ptrdiff_t step, int element, std::int8_t weight) {
                    std::uint8_t& byte = lane[step * vectors(group_blocks) * kStepBytes + element];
                    const int code = (weight + offset) & ((1 << bits) - 1);
                    byte = static_cast<std::uint8_t>(byte | code << field * bits);
                  });
  }
  return packed;
}

AlignedBuffer PackWeightSubsets(const ConvWindow& window, int weight_bits, const std::int8_t* codes,
                                int num_channels) {
  const std::ptrdiff_t step_bytes = InputStepBytes(ConvOperand::kTables);
  const std::ptrdiff_t plane_bytes = NumSteps(window, ConvOperand::kTables) * step_bytes;
  const std::ptrdiff_t block_bytes = weight_bits * plane_bytes;
  AlignedBuffer packed(static_cast<std::size_t>(NumBlocks(num_channels) * block_bytes));
  for (int o = 0; o < num_channels; ++o) {
    std::uint8_t* block = packed.data() + o / kBlockChannels * block_bytes;
    ForEachWeight(window, ConvOperand::kTables, codes + o * Depth(window),
                  [&](std::ptrdiff_t step, int element, std::int8_t weight) {
                    const int planes = weight_bits == 1 ? static_cast<int>(weight > 0) : weight;
                    for (int q = 0; q < weight_bits; ++q) {
                      std::uint8_t& subset = block[q * plane_bytes + step * step_bytes +
                                                   element / 4 * kTableBytes + o % kBlockChannels];
                      subset = static_cast<std::uint8_t>(subset | (planes >> q & 1) << element % 4);
                    }
                  });
  }
  return packed;
}

int WidenPeriod(const ConvKernel& kernel, int weight_bits, int activation_bits) {
  if (kernel.operand == ConvOperand::kFields) {
    return FieldPeriod(kernel.accumulator_bits, weight_bits, activation_bits);
  }
  if (DenseBits(kernel.operand) > 0) {
    return kDensePeriod;
  }
  if (kernel.operand == ConvOperand::kTables) {  // Narrow vectors look up one table at a time.
    return TablePeriod(kernel.isa == Isa::kSse4 ? 2 : 1, activation_bits);
  }
  return kernel.accumulator_bits == 16 ? Int16Period(weight_bits, activation_bits) : 0;
}

PackedConv PackConv(const ConvKernel& kernel, const ConvWindow& window, int weight_bits,
                    int activation_bits, const std::int8_t* codes, int num_channels) {
  if (kernel.operand == ConvOperand::kSignPlanes) {
    return PackSignPlanes(window, weight_bits, codes, num_channels);
  }
  if (kernel.operand == ConvOperand::kSignTables) {
    return PackSignTables(window, weight_bits, codes, num_channels);
  }
  PackedConv packed;
  packed.weight_planes = weight_bits;
  if (kernel.operand == ConvOperand::kPlanes64) {
    packed.runs = PlanPlaneRuns(window, kernel.operand);
    packed.weights = PackWeightPlanes(window, weight_bits, codes, num_channels);
    packed.weight_plane_bytes = static_cast<std::ptrdiff_t>(packed.weights.size()) /
                                (NumBlocks(num_channels) * std::max(weight_bits, 2));
    return packed;
  }
  packed.runs = PlanRuns(WindowSegments(window, kernel.operand), kernel.operand,
                         WidenPeriod(kernel, weight_bits, activation_bits));
  if (kernel.operand == ConvOperand::kFields) {
    packed.weights = PackWeightFields(window, kernel.accumulator_bits, codes, num_channels);
  } else if (DenseBits(kernel.operand) > 0) {
    packed.weights = PackDenseWeights(window, kernel.operand, codes, num_channels);
  } else if (kernel.operand == ConvOperand::kTables) {
    packed.weights = PackWeightSubsets(window, weight_bits, codes, num_channels);
    packed.weight_plane_bytes = static_cast<std::ptrdiff_t>(packed.weights.size()) /
                                (NumBlocks(num_channels) * weight_bits);
  } else {
    packed.weights = PackWeights(window, kernel.operand, codes, num_channels);
  }
  return packed;
}

}  // namespace bitpilot
