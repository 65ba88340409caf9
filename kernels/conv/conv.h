// Convolution kernels: arguments, the table, and the choice among its rows.
//
// One kernel call computes some rows of one *piece* of a layer: consecutive output channels that
// share a kernel, in blocks of 16. A fully connected layer is a convolution whose filter covers the
// whole image.
//
//   acc[y, x, o]  = correction[o] + sum over the window of input * weight
//   code[y, x, o] = Requantize(acc, scale[o], bias[o], residual...)     kernels/output/requantize.h is normative
//
// Input tensors have a halo that holds the zero point, and `correction` takes the zero point's
// share out of the sum, so a kernel knows neither padding nor zero points. A window's bytes come in
// *runs* of consecutive addresses (one a filter row, because pixels are adjacent in memory): no
// im2col, no indirection buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/conv/conv_layout.h"
#include "kernels/cpu/isa.h"
#include "kernels/output/output_args.h"

namespace bitpilot {

struct ConvFormat;  // kernels/conv/conv_format.h

// Consecutive input bytes of a window.
struct DepthRun {
  std::int32_t offset = 0;     // Bytes from the window's first byte.
  std::int32_t num_steps = 0;  // Of the format.
  // Steps of weights to pass over in front of this run's. Only kernels that skip weights meet them.
  std::int32_t skipped_steps = 0;
  // Narrow accumulators are added to the 32-bit ones behind this run, because the next would
  // overflow them.
  bool widen = false;
};

// Plain data, as OutputArgs is.
struct ConvArgs {
  const std::uint8_t* input = nullptr;  // Window of output pixel (0, 0).
  std::ptrdiff_t input_row_bytes = 0;   // From one output row's windows to the next's.
  std::ptrdiff_t input_pixel_bytes = 0;
  const DepthRun* runs = nullptr;  // The same for every window; ended by a run of 0 steps.
  // What sums begin at (ConvFormat::begins), or null for zero. Without it no run of 16-bit sums
  // widens.
  const std::uint8_t* begins = nullptr;
  std::ptrdiff_t begin_block_bytes = 0;
  const std::uint8_t* weights = nullptr;  // Blocks of weight_block_bytes, 64-byte aligned.
  std::ptrdiff_t weight_block_bytes = 0;
  // Of formats in planes and tables only:
  int weight_planes = 0;      // The mask not counted.
  bool masks_planes = false;  // Of signs: some weights of a step are 0.
  bool pairs_pixels = false;  // Of signs: pixels of 16 bits, of which two are taken at once.
  int input_planes = 0;
  std::ptrdiff_t weight_plane_bytes = 0;  // Within a block.
  std::ptrdiff_t input_plane_bytes = 0;
  std::ptrdiff_t input_parity_bytes = 0;  // Of signs without masks: from a word to its triple's.
  // Of tables and 1-bit weights only: int32 sums of the elements of each pixel's window.
  const std::uint8_t* window_sums = nullptr;  // Of output pixel (0, 0).
  std::ptrdiff_t window_sums_row_bytes = 0;
  std::ptrdiff_t window_sums_pixel_bytes = 0;
  OutputArgs output;
};

// Computes output rows [row_begin, row_end).
using ConvFn = void (*)(const ConvArgs& args, int row_begin, int row_end);

// A kernel and everything a caller needs to choose it.
struct ConvKernel {
  std::string_view
      name;  // e.g. "conv_w4a4_i16_avx2": widths it is exact for, accumulator, instruction set.
  CpuFeatures features;  // What it needs of the CPU.
  int max_weight_bits;
  int max_activation_bits;
  int max_bit_products;  // Preferred while ConvFormat::bit_products are no more.
  // ... and the window has (product - 1) * depth_per_product elements or more.
  int depth_per_product;
  const ConvFormat* format;
  // It reads DepthRun::skipped_steps: its products cost more than to skip some of them.
  bool skips_weights;
  ConvFn run;
};

// Every convolution kernel in this build. Not all can run on this CPU.
std::span<const ConvKernel> AllConvKernels();

// Fastest kernel that `limit` allows and that is exact for these widths. Total: a scalar kernel
// takes them all.
//
// REQUIRES: both widths in [1, 8]; `depth`, the window's elements, and `output_pixels` at least 1.
const ConvKernel& SelectConvKernel(Isa limit, int weight_bits, int activation_bits,
                                   std::ptrdiff_t depth, std::int64_t output_pixels);

// Largest magnitude of a product of a weight and an activation.
constexpr int MaxProduct(int weight_bits, int activation_bits) {
  const int weight_max = weight_bits == 1 ? 1 : (1 << (weight_bits - 1)) - 1;
  return weight_max * ((1 << activation_bits) - 1);
}

// Steps whose sums of products fit 16-bit accumulators at worst: each step adds two products to a
// lane.
constexpr int Int16StepsFromZero(int weight_bits, int activation_bits) {
  return 32'767 / (2 * MaxProduct(weight_bits, activation_bits));
}

// The same where sums begin at what centres them (kernels/conv/conv_begins.h).
constexpr int Int16Period(int weight_bits, int activation_bits) {
  return 32'767 / (2 * (MaxProduct(weight_bits, 1) << (activation_bits - 1)));
}

// The same for 32-bit sums of products with whole bytes, of which packed codes take the high bits.
inline constexpr int kDensePeriod = 2'147'483'647 / (4 * 128 * 255);

// The same for bytes that add up sums of 4 codes, `lookups` of them a step.
constexpr int TablePeriod(int lookups, int activation_bits) {
  return 255 / (lookups * 4 * ((1 << activation_bits) - 1));
}

// The same for fields of `field_bits` bits: each step adds four products to a field.
constexpr int FieldPeriod(int field_bits, int weight_bits, int activation_bits) {
  const std::int64_t field_max = (std::int64_t{1} << (field_bits - 1)) - 1;
  return static_cast<int>(field_max / (4 * MaxProduct(weight_bits, activation_bits)));
}

constexpr int FieldsPerWord(int field_bits) { return 64 / field_bits; }

// Words that hold the fields of a block of channels; some fields of the last may be unused.
constexpr int FieldWords(int field_bits) {
  return (kBlockChannels + FieldsPerWord(field_bits) - 1) / FieldsPerWord(field_bits);
}

}  // namespace bitpilot
