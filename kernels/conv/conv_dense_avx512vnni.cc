// Fully connected layers with AVX-512 VNNI. Compiled with AVX-512 flags on top of the project's:
// use no inline function or template here but intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_avx512.inc"

struct Dot {
  [[gnu::always_inline]] static void Accumulate(Vec& acc, Vec input, Vec weights) {
    asm("vpdpbusd %[weights], %[input], %[acc]"
        : [acc] "+v"(acc)
        : [input] "v"(input), [weights] "v"(weights));
  }
};

#include "kernels/conv/dense_vector.inc"

}  // namespace

void conv_w8a8_dense_avx512vnni(const ConvArgs& args, int row_begin, int row_end) {
  RunDense<1>(args, row_begin, row_end);
}

void conv_w4a8_dense_avx512vnni(const ConvArgs& args, int row_begin, int row_end) {
  RunDense<2>(args, row_begin, row_end);
}

void conv_w2a8_dense_avx512vnni(const ConvArgs& args, int row_begin, int row_end) {
  RunDense<4>(args, row_begin, row_end);
}

}  // namespace bitpilot
