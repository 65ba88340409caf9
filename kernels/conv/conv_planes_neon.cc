// Convolution over bit planes of 64-bit Arm, which counts the bits of bytes: weights of one or two bits are a plane of
// signs. As every kernel of an instruction set: use no inline function or template here but intrinsics and this file's
// own.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_neon.inc"

// 16 accumulators, 4 words of inputs, signs and masks, of 32 registers.
constexpr int kTilePixels = 4;
constexpr int kSumStride = kBlockChannels;

#include "kernels/output/output_vector.inc"

#include "kernels/output/tile_codes_vector.inc"

// A byte counts at most 8 bits of a word.
constexpr int kMostWords = 255 / 8;
constexpr int kWordBytes = 4;

// kMask: some of a plane's weights are 0.
template <bool kMask>
struct Signs {
  static constexpr std::ptrdiff_t kStepOfPlane = (kMask ? 2 : 1) * std::ptrdiff_t{kStepBytes};
};

// counts += of the bits of a word of each pixel, those that `weights` says.
template <int kPixels, bool kMask>
[[gnu::always_inline]] inline void CountWord(const std::uint8_t* const* input,
                                             std::ptrdiff_t offset, const std::uint8_t* weights,
                                             uint8x16_t* counts) {
  uint8x16_t x[kPixels];
  Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
    std::uint32_t word;
    __builtin_memcpy(&word, input[i] + offset, sizeof(word));
    x[i] = vreinterpretq_u8_u32(vdupq_n_u32(word));
  });
  Unroll<kBlockVecs>([&](auto v) __attribute__((always_inline)) {
    const uint8x16_t negative = vld1q_u8(weights + v * 16);
    const uint8x16_t mask = kMask ? vld1q_u8(weights + kStepBytes + v * 16) : negative;
    asm volatile("" : : : "memory");  // See conv_neon.cc.
    Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
      uint8x16_t bits = veorq_u8(x[i], negative);
      if constexpr (kMask) bits = vandq_u8(bits, mask);
      uint8x16_t& count = counts[i * kBlockVecs + v];
      count = vaddq_u8(count, vcntq_u8(bits));
    });
  });
}

// sums = `begins` of a block, or the sums that are there, + counts * 2^power; clears the counts.
template <int kVecs>
[[gnu::always_inline]] inline void AddCounts(uint8x16_t* counts, int power,
                                             const std::uint8_t* begins, std::int32_t* sums) {
  const Vec shift = vdupq_n_s32(power);
  const auto add = [&](auto of) __attribute__((always_inline)) {
    Unroll<kVecs>([&](auto i) __attribute__((always_inline)) {
      const Vec count = vreinterpretq_s32_u32(vpaddlq_u16(vpaddlq_u8(counts[i])));
      StoreInts(sums + i * kLanes, Add32(of(i), vshlq_s32(count, shift)));
      counts[i] = vdupq_n_u8(0);
    });
  };
  if (begins != nullptr) {
    Vec begin[kBlockVecs];
    Unroll<kBlockVecs>([&](auto v) __attribute__((always_inline)) {
      begin[v] = Load(begins + v * kLanes * 4);
    });
    add([&](auto i) __attribute__((always_inline)) { return begin[i % kBlockVecs]; });
  } else {
    add([&](auto i) __attribute__((always_inline)) { return Load(sums + i * kLanes); });
  }
}

// The sums of a tile, to [kPixels, kSumStride]. Not inline: it needs all registers.
template <class Mode, int kPixels>
[[gnu::noinline]] void SumPlanes(const ConvArgs& args, const std::uint8_t* weights,
                                 const std::uint8_t* begins, const std::uint8_t* const* pixels,
                                 std::int32_t* sums) {
  constexpr int kVecs = kPixels * kBlockVecs;
  constexpr std::ptrdiff_t kWeightBytes = Mode::kStepOfPlane;
  const std::uint8_t* input[kPixels];
  Unroll<kPixels>([&](auto i) __attribute__((always_inline)) { input[i] = pixels[i]; });
  uint8x16_t counts[kVecs];
  Unroll<kVecs>([&](auto i) __attribute__((always_inline)) { counts[i] = vdupq_n_u8(0); });
  for (int plane = 0; plane < args.input_planes; ++plane) {
    const std::uint8_t* words = weights;
    int room = kMostWords;
    for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) {
      words += kStepBytes;
      std::ptrdiff_t offset = plane * args.input_plane_bytes + run->offset;
      for (int left = run->num_steps; left > 0; --left) {
        CountWord<kPixels, kWeightBytes != kStepBytes>(input, offset, words, counts);
        offset += kWordBytes;
        words += kWeightBytes;
        if (--room == 0) [[unlikely]] {
          AddCounts<kVecs>(counts, plane, begins, sums);
          begins = nullptr;
          room = kMostWords;
        }
      }
    }
    AddCounts<kVecs>(counts, plane, begins, sums);
    begins = nullptr;
  }
}

template <class Mode, int kPixels>
[[gnu::always_inline]] inline void SumTile(const ConvArgs& args, const std::uint8_t* weights,
                                           const std::uint8_t* begins,
                                           const std::uint8_t* const* pixels, std::int32_t* sums,
                                           Vec* acc) {
  SumPlanes<Mode, kPixels>(args, weights, begins, pixels, sums);
  Unroll<kPixels * kBlockVecs>([&](auto i) __attribute__((always_inline)) {
    acc[i] = Load(sums + i * kLanes);
  });
}

#include "kernels/conv/conv_rows_vector.inc"

void RunPlanes(const ConvArgs& args, int row_begin, int row_end) {
  args.masks_planes ? RunConv<Signs<true>>(args, row_begin, row_end)
                    : RunConv<Signs<false>>(args, row_begin, row_end);
}

}  // namespace

void conv_w2a1_planes_neon(const ConvArgs& args, int row_begin, int row_end) {
  RunPlanes(args, row_begin, row_end);
}

void conv_w2a4_planes_neon(const ConvArgs& args, int row_begin, int row_end) {
  RunPlanes(args, row_begin, row_end);
}

}  // namespace bitpilot
