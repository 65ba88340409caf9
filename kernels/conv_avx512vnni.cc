// AVX-512 VNNI convolution kernel: 512-bit dot products of bytes, exact for all widths. Compiled
// with AVX-512 flags on top of the project's: use no inline function or template here but
// intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv.h"

namespace bitpilot {
namespace {

#include "kernels/vector_avx512.inc"

// 16 accumulators, which hide the latency of the dot product; more pixels would not find registers
// for their addresses.
constexpr int kTilePixels = 8;
constexpr int kTileBlocks = 2;

struct Dot {
  static constexpr bool kInt16 = false;
  [[gnu::always_inline]] static void Accumulate(Vec& acc, Vec input, Vec weights) {
    asm("vpdpbusd %[weights], %[input], %[acc]"
        : [acc] "+v"(acc)
        : [input] "v"(input), [weights] "v"(weights));
  }
};

#include "kernels/conv_vector.inc"

}  // namespace

void conv_w8a8_i32_avx512vnni(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Dot>(args, row_begin, row_end);
}

}  // namespace bitpilot
