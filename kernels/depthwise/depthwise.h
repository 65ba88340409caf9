// Depthwise convolution kernels: one filter a channel. Arguments, table and choice, as in
// kernels/conv/conv.h.
//
//   acc[y, x, c] = correction[c] + sum over taps of input[tap, c] * weight[tap, c]
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/cpu/isa.h"
#include "kernels/output/output_args.h"

namespace bitpilot {

// How weights are packed.
enum class TapOrder : std::uint8_t {
  // Two taps of a channel beside each other: int16 [num_taps / 2][16 channels][2], block of 16
  // channels after block,
  kWords16 = 0,
  // or int8 [num_taps / 2][2 halves][8 channels][2], the same,
  kBytes16 = 1,
  // or int8, 32 channels after 32: [num_taps / 2][2 halves][2 blocks][8 channels][2].
  kBytes32 = 2,
  // int8, 64 channels after 64: [filter_w][ceil(filter_h / 4)][4][16][4], four taps of a filter
  // column beside each other. Vector v holds channels 4 v .. 4 v + 3 of each 16. 8, 16 or 32
  // channels repeat until they fill the 64.
  kColumns64 = 3,
  // int8, 16 channels after 16: [num_taps][16 channels].
  kTaps16 = 4,
};

struct DepthwiseArgs {
  const std::uint8_t* input = nullptr;  // Window of output pixel (0, 0), first channel.
  std::ptrdiff_t input_row_bytes = 0;   // From one output row's windows to the next's.
  std::ptrdiff_t input_pixel_bytes = 0;
  const std::int32_t* tap_offsets = nullptr;  // [num_taps], bytes from the window's first pixel
  int num_taps = 0;                           // Even: an odd filter has one more tap of weight 0.
  const void* weights = nullptr;              // As the kernel's TapOrder says.
  // For kColumns64 only:
  int filter_h = 0;
  int filter_w = 0;
  std::ptrdiff_t row_bytes = 0;     // From one tap to the one below,
  std::ptrdiff_t column_bytes = 0;  // and to the one at the right.
  OutputArgs output;
};

// Computes output rows [row_begin, row_end).
using DepthwiseFn = void (*)(const DepthwiseArgs& args, int row_begin, int row_end);

struct DepthwiseKernel {
  std::string_view name;  // e.g. "depthwise_w8a8_i32_avx2"
  CpuFeatures features;   // What it needs of the CPU.
  // Largest sum of products that the accumulators hold: num_taps * largest weight * largest code.
  std::int64_t max_sum;
  TapOrder taps;
  DepthwiseFn run;
};

std::span<const DepthwiseKernel> AllDepthwiseKernels();

// Fastest kernel that `limit` allows and whose accumulators hold `largest_sum`.
//
// REQUIRES: largest_sum < 2^31.
const DepthwiseKernel& SelectDepthwiseKernel(Isa limit, std::int64_t largest_sum);

}  // namespace bitpilot
