// Convolution of 64-bit Arm with products of byte matrices. Compiled for them on top of the project's flags: use no
// inline function or template here but intrinsics and this file's own.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_neon.inc"

// 16 accumulators of 2 pixels x 2 channels, 4 vectors of inputs, as many that pair them, and weights.
constexpr int kTilePixels = 4;
constexpr int kSumStride = kBlockChannels;

#include "kernels/output/output_vector.inc"

#include "kernels/output/tile_codes_vector.inc"

constexpr int kMatrixSteps = 8;  // Elements of a step.
constexpr int kChannelPairs = kBlockChannels / 2;
constexpr int kMatrixStepBytes = kBlockChannels * kMatrixSteps;

struct Matrices {};

inline uint8x16_t Pair(uint8x16_t first, uint8x16_t second, bool high) {
  const uint64x2_t a = vreinterpretq_u64_u8(first);
  const uint64x2_t b = vreinterpretq_u64_u8(second);
  return vreinterpretq_u8_u64(high ? vzip2q_u64(a, b) : vzip1q_u64(a, b));
}

// 8 codes of two pixels in each of x, with a step's weights.
template <int kPairs>
[[gnu::always_inline]] inline void MatrixStep(Vec* sums, const uint8x16_t* x,
                                              const std::uint8_t* weights) {
  Unroll<kChannelPairs>([&](auto c) __attribute__((always_inline)) {
    const int8x16_t w = vreinterpretq_s8_u8(vld1q_u8(weights + c * 2 * kMatrixSteps));
    // Keeps the compiler from loading all weights first, for which there are too few registers.
    asm volatile("" : : : "memory");
    Unroll<kPairs>([&](auto i) __attribute__((always_inline)) {
      sums[i * kChannelPairs + c] = vusmmlaq_s32(sums[i * kChannelPairs + c], x[i], w);
    });
  });
}

template <class Mode, int kPixels>
[[gnu::always_inline]] inline void SumTile(const ConvArgs& args, const std::uint8_t* weights,
                                           const std::uint8_t*, const std::uint8_t* const* pixels,
                                           std::int32_t*, Vec* acc) {
  constexpr int kPairs = (kPixels + 1) / 2;  // The last of an odd number is paired with itself.
  Vec sums[kPairs * kChannelPairs];
  Unroll<kPairs * kChannelPairs>([&](auto i) __attribute__((always_inline)) { sums[i] = Zero(); });
  const std::uint8_t* input[2 * kPairs];
  Unroll<2 * kPairs>([&](auto i) __attribute__((always_inline)) {
    input[i] = pixels[i < kPixels ? static_cast<int>(i) : kPixels - 1];
  });
  for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) {
    std::ptrdiff_t offset = run->offset;
    int left = run->num_steps;
    for (; left >= 2; left -= 2) {
      uint8x16_t low[kPairs];
      uint8x16_t high[kPairs];
      Unroll<kPairs>([&](auto i) __attribute__((always_inline)) {
        const uint8x16_t first = vld1q_u8(input[2 * i] + offset);
        const uint8x16_t second = vld1q_u8(input[2 * i + 1] + offset);
        low[i] = Pair(first, second, false);
        high[i] = Pair(first, second, true);
      });
      MatrixStep<kPairs>(sums, low, weights);
      MatrixStep<kPairs>(sums, high, weights + kMatrixStepBytes);
      offset += 2 * kMatrixSteps;
      weights += 2 * kMatrixStepBytes;
    }
    if (left > 0) {
      uint8x16_t last[kPairs];
      Unroll<kPairs>([&](auto i) __attribute__((always_inline)) {
        last[i] = vcombine_u8(vld1_u8(input[2 * i] + offset), vld1_u8(input[2 * i + 1] + offset));
      });
      MatrixStep<kPairs>(sums, last, weights);
      weights += kMatrixStepBytes;
    }
  }
  // From 2 pixels x 2 channels to channels of a pixel.
  Unroll<kPixels * kBlockVecs>([&](auto k) __attribute__((always_inline)) {
    constexpr int kPixel = k / kBlockVecs;
    constexpr int kFirst = kPixel / 2 * kChannelPairs + k % kBlockVecs * 2;
    acc[k] = FromBytes(Pair(Bytes(sums[kFirst]), Bytes(sums[kFirst + 1]), kPixel % 2 == 1));
  });
}

#include "kernels/conv/conv_rows_vector.inc"

}  // namespace

void conv_w8a8_i32_neoni8mm(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Matrices>(args, row_begin, row_end);
}

}  // namespace bitpilot
