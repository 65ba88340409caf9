// Convolution of 64-bit Arm with dot products of bytes. Compiled for them on top of the project's flags: use no inline
// function or template here but intrinsics and this file's own.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_neon.inc"

// 16 accumulators, 4 vectors of inputs and 4 of weights, of 32 registers.
constexpr int kTilePixels = 4;
constexpr int kSumStride = kBlockChannels;

#include "kernels/output/output_vector.inc"

#include "kernels/output/tile_codes_vector.inc"

struct Dot {};

// Products of four codes of each pixel, those in lane kLane of x, with a step's weights.
template <int kPixels, int kLane>
[[gnu::always_inline]] inline void DotStep(Vec* acc, const int8x16_t* x,
                                           const std::uint8_t* weights) {
  Unroll<kBlockVecs>([&](auto v) __attribute__((always_inline)) {
    const int8x16_t w = vreinterpretq_s8_u8(vld1q_u8(weights + v * kLanes * 4));
    // Keeps the compiler from loading all weights first, for which there are too few registers.
    asm volatile("" : : : "memory");
    Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
      acc[i * kBlockVecs + v] = vdotq_laneq_s32(acc[i * kBlockVecs + v], w, x[i], kLane);
    });
  });
}

// begins: of the block, or null.
template <class Mode, int kPixels>
[[gnu::always_inline]] inline void SumTile(const ConvArgs& args, const std::uint8_t* weights,
                                           const std::uint8_t* begins,
                                           const std::uint8_t* const* pixels, std::int32_t*,
                                           Vec* acc) {
  constexpr int kSteps = 4;  // Of the 16 codes that a vector holds.
  Unroll<kPixels * kBlockVecs>([&](auto i) __attribute__((always_inline)) {
    acc[i] = begins == nullptr ? Zero() : Load(begins + i % kBlockVecs * kLanes * 4);
  });
  const std::uint8_t* input[kPixels];
  Unroll<kPixels>([&](auto i) __attribute__((always_inline)) { input[i] = pixels[i]; });
  for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) {
    std::ptrdiff_t offset = run->offset;
    int left = run->num_steps;
    int8x16_t x[kPixels];
    for (; left >= kSteps; left -= kSteps) {
      Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
        x[i] = vreinterpretq_s8_u8(vld1q_u8(input[i] + offset));
      });
      Unroll<kSteps>([&](auto step) __attribute__((always_inline)) {
        DotStep<kPixels, step>(acc, x, weights + step * kStepBytes);
      });
      offset += 4 * kSteps;
      weights += kSteps * kStepBytes;
    }
    if (left > 0) {
      Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
        x[i] = vreinterpretq_s8_u8(vld1q_u8(input[i] + offset));
      });
      DotStep<kPixels, 0>(acc, x, weights);
      if (left > 1) DotStep<kPixels, 1>(acc, x, weights + kStepBytes);
      if (left > 2) DotStep<kPixels, 2>(acc, x, weights + 2 * kStepBytes);
      weights += left * std::ptrdiff_t{kStepBytes};
    }
  }
}

#include "kernels/conv/conv_rows_vector.inc"

}  // namespace

// Codes of 8 bits need a correction in every layer: where that is all that keeps the output stage from being plain, sums
// begin at it.
void conv_w8a8_i32_neondot(const ConvArgs& args, int row_begin, int row_end) {
  ConvArgs from = args;
  OutputArgs& output = from.output;
  if (output.logits == nullptr && output.zero_point == 0.0F && output.code_min == 0.0F) {
    from.begins = reinterpret_cast<const std::uint8_t*>(output.correction);
    from.begin_block_bytes = kBlockChannels * sizeof(std::int32_t);
    output.is_plain = true;
  }
  RunConv<Dot>(from, row_begin, row_end);
}

}  // namespace bitpilot
