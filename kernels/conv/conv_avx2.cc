// AVX2 convolution kernels. Compiled with -mavx2 on top of the project's flags: use no inline
// function or template here but intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_avx2.inc"

// 12 accumulators, 2 vectors of weights, 1 of inputs and 1 of products: the 16 registers.
constexpr int kTilePixels = 6;
alignas(32) constexpr std::int16_t kOnes[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

// The multiply-accumulate steps are assembly because GCC 12, given intrinsics, moves additions past
// the loads of the next step and then keeps half of the accumulators in memory.

// Exact for all widths: 16-bit operands, pairs of products summed in 32 bits.
struct Words {
  static constexpr bool kInt16 = false;
  [[gnu::always_inline]] static void Accumulate(Vec& acc, Vec input, Vec weights) {
    Vec product;
    asm("vpmaddwd %[weights], %[input], %[product]\n\t"
        "vpaddd %[product], %[acc], %[acc]"
        : [acc] "+x"(acc), [product] "=&x"(product)
        : [input] "x"(input), [weights] "x"(weights));
  }
};

// Exact while two products fit 16 bits, signed.
struct Bytes {
  static constexpr bool kInt16 = false;
  [[gnu::always_inline]] static void Accumulate(Vec& acc, Vec input, Vec weights) {
    Vec product;
    asm("vpmaddubsw %[weights], %[input], %[product]\n\t"
        "vpmaddwd %[ones], %[product], %[product]\n\t"
        "vpaddd %[product], %[acc], %[acc]"
        : [acc] "+x"(acc), [product] "=&x"(product)
        : [input] "x"(input), [weights] "x"(weights), [ones] "m"(kOnes));
  }
};

// Exact for as many steps as Int16Period() says, from what centres the sums.
struct BytesInt16 {
  static constexpr bool kInt16 = true;
  [[gnu::always_inline]] static void Accumulate(Vec& acc, Vec input, Vec weights) {
    Vec product;
    asm("vpmaddubsw %[weights], %[input], %[product]\n\t"
        "vpaddw %[product], %[acc], %[acc]"
        : [acc] "+x"(acc), [product] "=&x"(product)
        : [input] "x"(input), [weights] "x"(weights));
  }
  static Vec Widen(Vec acc) { return _mm256_madd_epi16(acc, _mm256_set1_epi16(1)); }
};

#include "kernels/conv/conv_vector.inc"

}  // namespace

void conv_w8a8_i32_avx2(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Words>(args, row_begin, row_end);
}

void conv_w7a8_i32_avx2(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Bytes>(args, row_begin, row_end);
}

void conv_w8a7_i32_avx2(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Bytes>(args, row_begin, row_end);
}

void conv_w6a8_i16_avx2(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<BytesInt16>(args, row_begin, row_end);
}

void conv_w8a6_i16_avx2(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<BytesInt16>(args, row_begin, row_end);
}

void conv_w7a7_i16_avx2(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<BytesInt16>(args, row_begin, row_end);
}

void conv_w4a4_i16_avx2(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<BytesInt16>(args, row_begin, row_end);
}

}  // namespace bitpilot
