// For layers with one output pixel, which read every weight once. Codes as they are, 4 a step; weight codes of 8 / bits
// channels, those of as many blocks, share a byte: the last has its sign in the high bits, the others are offset by
// 2^(bits - 1) to be unsigned (kernels/conv/dense_vector.inc). kDenseGroupBlocks blocks are a group, whose steps stand
// side by side; the last group has the blocks that are left.
//
//   4 bits, step s of a group | blocks 0+1: 16 channels x 4 elements | blocks 2+3 | 4+5 | 6+7 |     64 bytes each
//   byte = (w of block 1) 2^4 + (w of block 0) + 8
#include <algorithm>
#include <cstdint>

#include "kernels/conv/conv_steps.h"

namespace bitpilot {
namespace {

constexpr StepRule kSteps = {};

template <int kBits>
PackedConv Pack(const ConvWindow& window, const ConvWeights& from) {
  constexpr int kFields = 8 / kBits;
  const std::ptrdiff_t num_steps = NumSteps(window, kSteps);
  const int num_blocks = NumBlocks(from.num_channels);
  // Vectors of 16 channels x 4 bytes that a step of `blocks` blocks takes.
  const auto vectors = [](int blocks) { return (blocks + kFields - 1) / kFields; };
  PackedConv packed;
  packed.runs = PlanRuns(window, kSteps, kDensePeriod);
  packed.weights =
      AlignedBuffer(static_cast<std::size_t>(vectors(num_blocks) * num_steps * kStepBytes));
  packed.weight_group_bytes = vectors(kDenseGroupBlocks) * num_steps * kStepBytes;
  for (int o = 0; o < from.num_channels; ++o) {
    const int block = o / kBlockChannels;
    const int group_begin = block / kDenseGroupBlocks * kDenseGroupBlocks;
    const int group_blocks = std::min(num_blocks - group_begin, kDenseGroupBlocks);
    const int field = (block - group_begin) % kFields;
    // The highest field has its sign, the others are offset to be unsigned.
    const int offset = field == kFields - 1 ? 0 : 1 << (kBits - 1);
    std::uint8_t* lane =
        packed.weights.data() + 4 * (o % kBlockChannels) +
        (vectors(group_begin) * num_steps + (block - group_begin) / kFields) * kStepBytes;
    ForEachWeight(window, kSteps, from.codes + o * WindowDepth(window),
                  [&](std::ptrdiff_t step, int element, std::int8_t weight) {
                    std::uint8_t& byte = lane[step * vectors(group_blocks) * kStepBytes + element];
                    const int code = (weight + offset) & ((1 << kBits) - 1);
                    byte = static_cast<std::uint8_t>(byte | code << field * kBits);
                  });
  }
  return packed;
}

// Weights of filter rows are no whole bytes of a block.
template <int kBits>
constexpr ConvFormat Dense() {
  return {.way = "dense",
          .group_blocks = kDenseGroupBlocks,
          .max_pixels = 1,
          .splits_filter = false,
          .widen_period = [](int, int) { return kDensePeriod; },
          .pack = Pack<kBits>};
}

}  // namespace

namespace conv_formats {

extern constexpr ConvFormat kDense8 = Dense<8>();
extern constexpr ConvFormat kDense4 = Dense<4>();
extern constexpr ConvFormat kDense2 = Dense<2>();

}  // namespace conv_formats
}  // namespace bitpilot
