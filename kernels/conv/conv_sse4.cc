// SSE4.1 convolution kernels. Compiled with -msse4.1 on top of the project's flags: use no inline
// function or template here but intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_sse4.inc"

// 8 accumulators, 4 vectors of weights, 1 of inputs and 1 of products, of 16 registers.
constexpr int kTilePixels = 2;

alignas(16) constexpr std::int16_t kOnes[8] = {1, 1, 1, 1, 1, 1, 1, 1};

// Modes: see conv_avx2.cc, also for why they are assembly.
struct Words {
  static constexpr bool kInt16 = false;
  [[gnu::always_inline]] static void Accumulate(Vec& acc, Vec input, Vec weights) {
    asm("pmaddwd %[weights], %[input]\n\t"
        "paddd %[input], %[acc]"
        : [acc] "+x"(acc), [input] "+x"(input)
        : [weights] "x"(weights));
  }
};

struct Bytes {
  static constexpr bool kInt16 = false;
  [[gnu::always_inline]] static void Accumulate(Vec& acc, Vec input, Vec weights) {
    asm("pmaddubsw %[weights], %[input]\n\t"
        "pmaddwd %[ones], %[input]\n\t"
        "paddd %[input], %[acc]"
        : [acc] "+x"(acc), [input] "+x"(input)
        : [weights] "x"(weights), [ones] "m"(kOnes));
  }
};

struct BytesInt16 {
  static constexpr bool kInt16 = true;
  [[gnu::always_inline]] static void Accumulate(Vec& acc, Vec input, Vec weights) {
    asm("pmaddubsw %[weights], %[input]\n\t"
        "paddw %[input], %[acc]"
        : [acc] "+x"(acc), [input] "+x"(input)
        : [weights] "x"(weights));
  }
  static Vec Widen(Vec acc) { return _mm_madd_epi16(acc, _mm_set1_epi16(1)); }
};

#include "kernels/conv/conv_vector.inc"

}  // namespace

void conv_w4a4_i16_sse4(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<BytesInt16>(args, row_begin, row_end);
}

void conv_w5a8_i16_sse4(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<BytesInt16>(args, row_begin, row_end);
}

void conv_w6a7_i16_sse4(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<BytesInt16>(args, row_begin, row_end);
}

void conv_w7a6_i16_sse4(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<BytesInt16>(args, row_begin, row_end);
}

void conv_w8a5_i16_sse4(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<BytesInt16>(args, row_begin, row_end);
}

void conv_w7a8_i32_sse4(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Bytes>(args, row_begin, row_end);
}

void conv_w8a7_i32_sse4(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Bytes>(args, row_begin, row_end);
}

void conv_w8a8_i32_sse4(const ConvArgs& args, int row_begin, int row_end) {
  RunConv<Words>(args, row_begin, row_end);
}

}  // namespace bitpilot
