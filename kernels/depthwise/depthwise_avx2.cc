// AVX2 depthwise kernels. Compiled with -mavx2 on top of the project's flags: use no inline
// function or template here but intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/depthwise/depthwise.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_avx2.inc"

#include "kernels/depthwise/depthwise_vector.inc"

}  // namespace

void depthwise_w8a8_i32_avx2(const DepthwiseArgs& args, int row_begin, int row_end) {
  RunDepthwise<WordPairs>(args, row_begin, row_end);
}

void depthwise_w4a8_i16_avx2(const DepthwiseArgs& args, int row_begin, int row_end) {
  RunDepthwise<BytePairs>(args, row_begin, row_end);
}

}  // namespace bitpilot
