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

// Of the input.
std::ptrdiff_t WordBytes(const ConvWindow& window, ConvOperand operand) {
  if (PairsPixels(window, operand)) return 2;
  return operand == ConvOperand::kSignPlanes ? 4 : 8;
}

std::ptrdiff_t NumSteps(const PlaneSegment& segment, std::ptrdiff_t word_bytes) {
  return (segment.num_bytes + word_bytes - 1) / word_bytes;
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
  const std::ptrdiff_t word_bytes = WordBytes(window, operand);
  const std::ptrdiff_t step_bits = 8 * word_bytes;
  std::ptrdiff_t first_step = 0;
  for (const PlaneSegment& segment : PlaneSegments(window)) {
    for (std::ptrdiff_t bit = 0; bit < 8 * segment.num_bytes; ++bit) {
      const std::ptrdiff_t element = ElementAt(window, segment, bit);
      if (element >= 0) {
        f(first_step + bit / step_bits, bit % step_bits, element);
      }
    }
    first_step += NumSteps(segment, word_bytes);
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

void FlipBits(std::uint8_t* to, std::uint32_t bits) {
  std::uint32_t word;
  std::memcpy(&word, to, sizeof(word));
  word ^= bits;
  std::memcpy(to, &word, sizeof(word));
}

// Of one channel in 64 bytes of 16.
constexpr int kLaneBytes = 4;

// Where a step's signs are in a plane of weights.
struct SignPlace {
  std::ptrdiff_t signs = 0;   // Of the last of a triple: no place of its own, so `parity`.
  std::ptrdiff_t parity = 0;  // Of its triple; `signs` where there is none.
  std::ptrdiff_t count = 0;   // The number of negative ones of its run.
};

// Of all runs' steps.
std::vector<SignPlace> PlaceSigns(const std::vector<DepthRun>& runs, bool masks) {
  std::vector<SignPlace> places;
  std::ptrdiff_t run_begin = 0;
  for (const DepthRun& run : runs) {
    if (run.num_steps == 0) break;
    const int triples = masks ? 0 : run.num_steps / kTripleSteps;
    for (int step = 0; step < run.num_steps; ++step) {
      const auto place = [run_begin, masks](int index) {
        return run_begin + kStepBytes * (1 + std::ptrdiff_t{index} * (masks ? 2 : 1));
      };
      if (step < kTripleSteps * triples) {
        const int first = step % triples * kTripleSteps;
        places.push_back(
            {place(first + step / triples), place(first + kTripleSteps - 1), run_begin});
      } else {
        places.push_back({place(step), place(step), run_begin});
      }
    }
    run_begin += kStepBytes * (1 + std::ptrdiff_t{run.num_steps} * (masks ? 2 : 1));
  }
  return places;
}

}  // namespace

std::vector<DepthRun> PlanPlaneRuns(const ConvWindow& window, ConvOperand operand) {
  const std::ptrdiff_t row_bytes =
      window.row_bytes / window.pixel_bytes * PlanePixelBytes(window.pixel_bytes);
  const std::ptrdiff_t word_bytes = WordBytes(window, operand);
  std::vector<DepthRun> runs;
  for (const PlaneSegment& segment : PlaneSegments(window)) {
    runs.push_back({static_cast<std::int32_t>(segment.y * row_bytes + segment.first_byte),
                    static_cast<std::int32_t>(NumSteps(segment, word_bytes)), 0, false});
  }
  runs.push_back({});
  return runs;
}

AlignedBuffer PackWeightPlanes(const ConvWindow& window, int weight_bits, const std::int8_t* codes,
                               int num_channels) {
  constexpr ConvOperand kOperand = ConvOperand::kPlanes64;
  const std::ptrdiff_t step_bytes = WordBytes(window, kOperand);
  std::ptrdiff_t num_steps = 0;
  for (const PlaneSegment& segment : PlaneSegments(window)) {
    num_steps += NumSteps(segment, step_bytes);
  }
  const std::ptrdiff_t plane_bytes = num_steps * step_bytes * kBlockChannels;
  const std::ptrdiff_t block_bytes = std::max(weight_bits, 2) * plane_bytes;
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
  const std::ptrdiff_t word_bytes = WordBytes(window, kOperand);
  PackedConv packed;
  packed.runs = PlanPlaneRuns(window, kOperand);
  packed.weight_planes = std::max(weight_bits - 1, 1);
  packed.pairs_pixels = PairsPixels(window, kOperand);
  const auto num_steps =
      std::accumulate(packed.runs.begin(), packed.runs.end(), std::ptrdiff_t{0},
                      [](std::ptrdiff_t sum, const DepthRun& run) { return sum + run.num_steps; });
  packed.masks_planes = weight_bits > 1 || 8 * word_bytes * num_steps != depth;
  if (!packed.masks_planes) {
    packed.parity_distance_bytes = packed.runs.front().num_steps / kTripleSteps * word_bytes;
  }
  const std::vector<SignPlace> places = PlaceSigns(packed.runs, packed.masks_planes);
  packed.weight_plane_bytes = kStepBytes * static_cast<std::ptrdiff_t>(packed.runs.size() - 1) +
                              kStepBytes * (packed.masks_planes ? 2 : 1) * num_steps;
  const std::ptrdiff_t block_bytes = packed.weight_planes * packed.weight_plane_bytes;
  packed.weights = AlignedBuffer(static_cast<std::size_t>(NumBlocks(num_channels) * block_bytes));
  for (int o = 0; o < num_channels; ++o) {
    std::uint8_t* lane = packed.weights.data() + o / kBlockChannels * block_bytes +
                         kLaneBytes * (o % kBlockChannels);
    ForEachElement(window, kOperand, [&](auto step, auto bit, auto element) {
      const int code = codes[o * depth + element];
      const SignPlace& place = places[static_cast<std::size_t>(step)];
      const std::uint32_t bits = (packed.pairs_pixels ? 0x10001U : 1U) << bit;
      for (int q = 0; q < packed.weight_planes; ++q) {
        if ((std::abs(code) >> q & 1) == 0) continue;
        std::uint8_t* plane = lane + q * packed.weight_plane_bytes;
        if (packed.masks_planes) FlipBits(plane + place.signs + kStepBytes, bits);
        if (code < 0) {
          FlipBits(plane + place.signs, bits);
          if (place.parity != place.signs) FlipBits(plane + place.parity, bits);
          AddInt32(plane + place.count, 1 << q);
        }
      }
    });
  }
  return packed;
}

}  // namespace bitpilot
