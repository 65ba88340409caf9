// AVX-VNNI convolution kernel: 256-bit dot products of bytes, exact for all widths. Compiled with
// -mavxvnni on top of the project's flags: use no inline function or template here but intrinsics
// and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_avx2.inc"

// 12 accumulators, 2 vectors of weights and 1 of inputs, of 16 registers.
constexpr int kTilePixels = 6;

struct Dot {
  static constexpr bool kInt16 = false;
  [[gnu::always_inline]] static void Accumulate(Vec& acc, Vec input, Vec weights) {
    asm("%{vex%} vpdpbusd %[weights], %[input], %[acc]"
        : [acc] "+x"(acc)
        : [input] "x"(input), [weights] "x"(weights));
  }
};

#include "kernels/conv/conv_vector.inc"

}  // namespace

void conv_w8a8_i32_avxvnni(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Dot>(args, row_begin, row_end);
}

}  // namespace bitpilot
