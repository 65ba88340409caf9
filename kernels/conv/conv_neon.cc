// Convolution of 64-bit Arm without dot products: lanes of a vector are elements of the window, whose products are summed
// in 16 bits first. As every kernel of an instruction set: use no inline function or template here but intrinsics and
// this file's own.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_neon.inc"

// 16 accumulators of a pixel and a channel each, of 4 channels at a time; 4 vectors of inputs, weights and products.
constexpr int kTilePixels = 4;
constexpr int kSumStride = kBlockChannels;

#include "kernels/output/output_vector.inc"

#include "kernels/output/tile_codes_vector.inc"

constexpr int kQuarter = 4;  // Channels of which sums are made at once.
constexpr int kLanesOfStep = 16;
constexpr std::ptrdiff_t kQuarterBytes = std::ptrdiff_t{kQuarter} * kLanesOfStep;
constexpr std::ptrdiff_t kLanesStepBytes = std::ptrdiff_t{kBlockChannels} * kLanesOfStep;

inline int8x16_t LoadSigned(const std::uint8_t* data) {
  return vreinterpretq_s8_u8(vld1q_u8(data));
}

// Keeps the compiler from loading all weights first, for which there are too few registers.
[[gnu::always_inline]] inline void KeepLoadHere() { asm volatile("" : : : "memory"); }

// Sums in 32 bits; kSteps steps, each of two products, fit 16 bits before that.
template <int kSteps>
struct Sums32 {
  // Adds the products of kCount steps; weights of a step lie kLanesStepBytes apart.
  template <int kPixels, int kCount>
  [[gnu::always_inline]] static void Add(Vec* acc, const std::uint8_t* const* input,
                                         std::ptrdiff_t offset, const std::uint8_t* weights) {
    int8x16_t x[kCount * kPixels];
    Unroll<kCount * kPixels>([&](auto i) __attribute__((always_inline)) {
      x[i] = LoadSigned(input[i % kPixels] + offset + i / kPixels * kLanesOfStep);
    });
    Unroll<kQuarter>([&](auto c) __attribute__((always_inline)) {
      int8x16_t w[kCount];
      Unroll<kCount>([&](auto step) __attribute__((always_inline)) {
        w[step] = LoadSigned(weights + step * kLanesStepBytes + c * kLanesOfStep);
      });
      KeepLoadHere();
      Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
        int16x8_t products = vmull_s8(vget_low_s8(x[i]), vget_low_s8(w[0]));
        products = vmlal_high_s8(products, x[i], w[0]);
        if constexpr (kCount == 2) {
          constexpr int kNext = kCount == 2 ? kPixels : 0;
          products = vmlal_s8(products, vget_low_s8(x[kNext + i]), vget_low_s8(w[kCount - 1]));
          products = vmlal_high_s8(products, x[kNext + i], w[kCount - 1]);
        }
        acc[i * kQuarter + c] = vpadalq_s16(acc[i * kQuarter + c], products);
      });
    });
  }

  template <int kPixels>
  [[gnu::always_inline]] static void SumQuarter(const DepthRun* run,
                                                const std::uint8_t* const* input,
                                                const std::uint8_t* weights, Vec* acc) {
    Unroll<kPixels * kQuarter>([&](auto i) __attribute__((always_inline)) { acc[i] = Zero(); });
    for (; run->num_steps != 0; ++run) {
      std::ptrdiff_t offset = run->offset;
      int left = run->num_steps;
      for (; left >= kSteps; left -= kSteps) {
        Add<kPixels, kSteps>(acc, input, offset, weights);
        offset += kSteps * kLanesOfStep;
        weights += kSteps * kLanesStepBytes;
      }
      if (kSteps > 1 && left > 0) {
        Add<kPixels, 1>(acc, input, offset, weights);
        weights += kLanesStepBytes;
      }
    }
  }
};

// Sums in 16 bits, widened where the runs say so.
struct Sums16 {
  template <int kPixels>
  [[gnu::always_inline]] static void SumQuarter(const DepthRun* run,
                                                const std::uint8_t* const* input,
                                                const std::uint8_t* weights, Vec* acc) {
    constexpr int kSums = kPixels * kQuarter;
    int16x8_t narrow[kSums];
    Unroll<kSums>([&](auto i) __attribute__((always_inline)) { narrow[i] = vdupq_n_s16(0); });
    alignas(16) std::int32_t wide[kSums * kLanes];
    asm("" : "=m"(wide));  // No instruction: it is read only once it has been written.
    bool has_wide = false;
    for (; run->num_steps != 0; ++run) {
      std::ptrdiff_t offset = run->offset;
      const std::ptrdiff_t end = offset + run->num_steps * std::ptrdiff_t{kLanesOfStep};
      for (; offset != end; offset += kLanesOfStep, weights += kLanesStepBytes) {
        int8x16_t x[kPixels];
        Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
          x[i] = LoadSigned(input[i] + offset);
        });
        Unroll<kQuarter>([&](auto c) __attribute__((always_inline)) {
          const int8x16_t w = LoadSigned(weights + c * kLanesOfStep);
          KeepLoadHere();
          Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
            int16x8_t& sum = narrow[i * kQuarter + c];
            sum = vmlal_s8(sum, vget_low_s8(x[i]), vget_low_s8(w));
            sum = vmlal_high_s8(sum, x[i], w);
          });
        });
      }
      if (run->widen) [[unlikely]] {  // Keeps its memory out of the loop.
        Unroll<kSums>([&](auto i) __attribute__((always_inline)) {
          const Vec before = has_wide ? Load(wide + i * kLanes) : Zero();
          StoreInts(wide + i * kLanes, vpadalq_s16(before, narrow[i]));
          narrow[i] = vdupq_n_s16(0);
        });
        has_wide = true;
      }
    }
    Unroll<kSums>([&](auto i) __attribute__((always_inline)) {
      acc[i] = has_wide ? vpadalq_s16(Load(wide + i * kLanes), narrow[i]) : vpaddlq_s16(narrow[i]);
    });
  }
};

template <class Mode, int kPixels>
[[gnu::always_inline]] inline void SumTile(const ConvArgs& args, const std::uint8_t* weights,
                                           const std::uint8_t*, const std::uint8_t* const* pixels,
                                           std::int32_t* spilled, Vec* acc) {
  const std::uint8_t* input[kPixels];
  Unroll<kPixels>([&](auto i) __attribute__((always_inline)) { input[i] = pixels[i]; });
  for (int first = 0; first < kBlockChannels; first += kQuarter, weights += kQuarterBytes) {
    Vec sums[kPixels * kQuarter];
    Mode::template SumQuarter<kPixels>(args.runs, input, weights, sums);
    Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
      const Vec* of_pixel = sums + i * kQuarter;
      StoreInts(spilled + i * kSumStride + first, vpaddq_s32(vpaddq_s32(of_pixel[0], of_pixel[1]),
                                                             vpaddq_s32(of_pixel[2], of_pixel[3])));
    });
  }
  Unroll<kPixels * kBlockVecs>([&](auto i) __attribute__((always_inline)) {
    acc[i] = Load(spilled + i * kLanes);
  });
}

#include "kernels/conv/conv_rows_vector.inc"

}  // namespace

void conv_w6a8_i16_neon(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Sums16>(args, row_begin, row_end);
}

// Four products of 7-bit weights and bytes fit 16 bits.
void conv_w7a8_i32_neon(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Sums32<2>>(args, row_begin, row_end);
}

// Two products of any bytes do, but for those of -128 and -128: weights are no less than -127.
void conv_w8a8_i32_neon(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Sums32<1>>(args, row_begin, row_end);
}

}  // namespace bitpilot
