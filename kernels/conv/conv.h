// Convolution kernels: arguments, the table, and the choice among its rows.
//
// One kernel call computes some rows of one *piece* of a layer: consecutive output channels that
// share a kernel, in blocks of 16. A fully connected layer is a convolution whose filter covers the
// whole image.
//
//   acc[y, x, o]  = correction[o] + sum over the window of input * weight
//   code[y, x, o] = Requantize(acc, scale[o], bias[o], residual...) (kernels/output/requantize.h,
//   normative)
//
// Input tensors have a halo that holds the zero point, and `correction` takes the zero point's
// share out of the sum, so a kernel knows neither padding nor zero points. A window's bytes come in
// *runs* of consecutive addresses (one a filter row, because pixels are adjacent in memory): no
// im2col, no indirection buffer.
//
// Packed weights of one block: step after step, [16 channels][4 input bytes], or [16][2 int16]
// where the kernel multiplies 16-bit operands. Both are 64 bytes a step and serve every vector
// width.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/cpu/isa.h"
#include "kernels/output/output_args.h"

namespace bitpilot {

inline constexpr int kStepBytes = 64;  // Packed weights of one step of one block.

// What a kernel reads as input and multiplies.
enum class ConvOperand : std::uint8_t {
  kBytes = 0,  // uint8 codes, 4 a step
  kWords = 1,  // codes widened to int16, 2 a step
  // Bit planes of codes (kernels/elementwise/elementwise.h, pack_planes), one image a plane: a word
  // of 32 bits of one plane a step, or where ConvArgs::pairs_pixels, of 16 bits. Weights are planes
  // of signs, of which the plane of bit q of the magnitudes counts 2^q: [plane][run], each run the
  // number of negative ones times 2^q, [16 channels] int32, and then [step] of 32 bits [16
  // channels] (a word of 16 twice): "is negative", and where ConvArgs::masks_planes, as many of "is
  // not 0".
  //
  // Without masks, thirds of a run go together: with a third of n steps, words i, i + n and i + 2 n
  // are a triple, and triple after triple has "is negative" of the first two and the parity of all
  // three. The input's parities are ConvArgs::input_parity_bytes behind it. Steps that are left
  // follow.
  kSignPlanes = 2,
  // The same codes, 64 bits a step. Weights are planes of two's complement: [plane][step][16
  // channels][8 bytes]. 1-bit weights have a plane where a set bit is +1 and any other -1, and
  // behind it one that masks the window's elements.
  kPlanes64 = 3,
  // uint8 codes, 4 a step. Weights of several channels are fields of one 64-bit word, of as many
  // bits as the kernel's accumulators: [step][4 input bytes][FieldWords() words of 8 bytes].
  kFields = 4,
  // uint8 codes, 4 a step; for layers with one output pixel. Codes of one, two or four channels
  // share a byte (kernels/conv/dense_vector.inc), and kDenseGroupBlocks blocks of them a step:
  // [group][step][blocks / channels per byte][16 channels][4 input bytes]. The last group has the
  // blocks that are left.
  kDense8 = 5,
  kDense4 = 6,
  kDense2 = 7,
  // Tables of the sums of all subsets of 4 codes (kernels/elementwise/elementwise.h, build_tables),
  // 2 a step. Weights are planes of two's complement, a plane of ones and minus ones as above at 1
  // bit: [plane][step][2 tables][16 channels] bytes, each a subset of 4 elements.
  kTables = 8,
  // uint8 codes, 4 a step; weights as of kBytes. Every run is a whole number of tiles, all of the
  // same number of steps and at most kTileSteps: codes behind a run may be read, and have zero
  // weights.
  kTiles = 9,
  // Tables of the sums of 16 codes, 4 by 4, with all signs (kernels/elementwise/elementwise.h,
  // build_sign_tables): 16 channels of one pixel a step. Weights are planes of signs, whose sum is
  // the weight if there is one and twice the weight if there are two: [plane][step][16
  // channels][4 bytes], each of which chooses an entry of the table for 4 codes.
  kSignTables = 10,
};

inline constexpr int kTileSteps = 16;

inline constexpr int kTripleSteps = 3;

inline constexpr int kSignTableBytes = 64;
inline constexpr int kSignTableChannels = 16;

inline constexpr int kDenseGroupBlocks = 8;

inline constexpr int kTableBytes = 16;

// Consecutive input bytes of a window.
struct DepthRun {
  std::int32_t offset = 0;     // Bytes from the window's first byte.
  std::int32_t num_steps = 0;  // Of 4 bytes; of 8, kPlanes64; of 32, kTables; of 2, pairs_pixels.
  // Steps of weights to pass over in front of this run's. Only kernels of SkipsWeights() meet them.
  std::int32_t skipped_steps = 0;
  // Narrow accumulators are added to the 32-bit ones behind this run, because the next would
  // overflow them.
  bool widen = false;
};

constexpr bool IsPlanes(ConvOperand operand) {
  return operand == ConvOperand::kSignPlanes || operand == ConvOperand::kPlanes64;
}

// Passes over bits of weights and activations that the operand takes for one product.
constexpr int BitProducts(ConvOperand operand, int weight_bits, int activation_bits) {
  // A sign and a magnitude; at 1 and 2 bits the sign is all.
  const bool signs = operand == ConvOperand::kSignPlanes && weight_bits > 1;
  return (signs ? weight_bits - 1 : weight_bits) * activation_bits;
}

// Bits of a code where the operand is kDense8, kDense4 or kDense2, else 0.
constexpr int DenseBits(ConvOperand operand) {
  switch (operand) {
    case ConvOperand::kDense8:
      return 8;
    case ConvOperand::kDense4:
      return 4;
    case ConvOperand::kDense2:
      return 2;
    default:
      return 0;
  }
}

// Plain data, as OutputArgs is.
struct ConvArgs {
  const std::uint8_t* input = nullptr;  // Window of output pixel (0, 0).
  std::ptrdiff_t input_row_bytes = 0;   // From one output row's windows to the next's.
  std::ptrdiff_t input_pixel_bytes = 0;
  const DepthRun* runs = nullptr;  // The same for every window; ended by a run of 0 steps.
  // 16-bit sums only: what they begin at (kernels/conv/conv_begins.h), or null for zero. Without it
  // no run widens.
  const std::uint8_t* begins = nullptr;
  std::ptrdiff_t begin_block_bytes = 0;
  const std::uint8_t* weights = nullptr;  // Blocks of weight_block_bytes, 64-byte aligned.
  std::ptrdiff_t weight_block_bytes = 0;
  // Of operands in planes and tables only:
  int weight_planes = 0;      // The mask not counted.
  bool masks_planes = false;  // kSignPlanes: some weights of a step are 0.
  bool pairs_pixels = false;  // kSignPlanes: pixels of 16 bits, of which two are taken at once.
  int input_planes = 0;
  std::ptrdiff_t weight_plane_bytes = 0;  // Within a block.
  std::ptrdiff_t input_plane_bytes = 0;
  std::ptrdiff_t input_parity_bytes = 0;  // kSignPlanes without masks: from a word to its triple's.
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
  Isa isa;
  int max_weight_bits;
  int max_activation_bits;
  ConvOperand operand;
  int max_bit_products;  // Preferred while BitProducts() are no more.
  // ... and the window has (product - 1) * depth_per_product elements or more.
  int depth_per_product;
  // Below 32, and of fields: runs must widen in time (WidenPeriod()).
  int accumulator_bits;
  ConvFn run;
};

// True for kernels that read DepthRun::skipped_steps: those whose products cost more than to skip
// some of them.
constexpr bool SkipsWeights(const ConvKernel& kernel) {
  return (kernel.isa == Isa::kSse4 || kernel.isa == Isa::kAvx2) &&
         (kernel.operand == ConvOperand::kBytes || kernel.operand == ConvOperand::kWords ||
          kernel.operand == ConvOperand::kTables);
}

// Every convolution kernel in this build. Not all can run on this CPU.
std::span<const ConvKernel> AllConvKernels();

// Whether the kernel can pay for a layer of so many output pixels: dense ones read all weights for
// each, and tiles of one pixel are nearly empty.
constexpr bool SuitsPixels(const ConvKernel& kernel, std::int64_t output_pixels) {
  if (kernel.operand == ConvOperand::kTiles) {
    return output_pixels > 1;
  }
  return output_pixels == 1 || DenseBits(kernel.operand) == 0;
}

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
