// ConvFormat: how the input and the packed weights of a convolution kernel lie in memory, and all that follows
// from it. Each is one object, which kernels/conv/conv_kernels.inc names and a format_*.cc file describes and
// defines; the runtime asks the object and knows none of them by name.
//
// A window's input comes in runs of consecutive bytes (DepthRun), each a number of *steps*. Weights are packed in
// blocks of 16 output channels, a block's steps one behind the other in the order in which a window's input is read.
// The files write
//
//   x[e]      code of element e of a window; elements count in the order of memory: filter row, pixel, channel
//   w[c][e]   weight of channel c of the block, c = 0..15; 0 where e is no channel of the group (a pixel's padding, the
//             end of a run) and where c fills up the last block
//   s         step of the block, counted over all runs
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/cpu/aligned_buffer.h"
#include "kernels/cpu/cpu_features.h"

namespace bitpilot {

struct ElementwiseKernels;

// A window of one channel group: filter [filter_h, filter_w] over `group_channels` channels of the
// input, from channel `first_channel` on.
struct ConvWindow {
  int filter_h = 1;
  int filter_w = 1;
  int first_channel = 0;
  int group_channels = 1;
  std::ptrdiff_t pixel_bytes = 0;  // Of the input tensor's byte layout.
  std::ptrdiff_t row_bytes = 0;
  bool all_channels = true;  // The group is the whole pixel: a filter row is one run.
  int stride_w = 1;
};

// Rows and columns of a filter, to the ends that are not in it.
struct FilterPart {
  int row_begin = 0;
  int row_end = 0;
  int column_begin = 0;
  int column_end = 0;
};

// The weights of a layer's channels, from which packed ones are made.
struct ConvWeights {
  int weight_bits =
      8;  // Magnitudes below 2^(weight_bits - 1), of the widest channel; -1 or 1 at 1 bit.
  int activation_bits = 8;
  // [num_channels, filter_h, filter_w, group_channels]
  const std::int8_t* codes = nullptr;
  int num_channels = 0;
};

// Everything that a kernel reads but the input.
struct PackedConv {
  std::vector<DepthRun> runs;  // Of the whole filter; ended by a run of 0 steps.
  AlignedBuffer weights;
  // Of planes and tables only: what ConvArgs has by these names.
  int weight_planes = 0;
  bool masks_planes = false;
  bool pairs_pixels = false;
  std::ptrdiff_t weight_plane_bytes = 0;
  std::ptrdiff_t weight_group_bytes =
      0;  // Of ConvFormat::group_blocks blocks, where these are several.
  std::ptrdiff_t parity_distance_bytes = 0;  // Between words of a triple; 0: there are none.
  bool reads_window_sums = false;            // Wants ConvArgs::window_sums.
};

// A tensor of codes, halo included, that is to be converted to the form that kernels read.
struct InputCodes {
  const std::uint8_t* codes = nullptr;
  std::size_t total_bytes = 0;
  std::ptrdiff_t pixel_bytes = 0;
  int channels = 0;
  int bits = 8;
  std::ptrdiff_t parity_distance_bytes = 0;  // PackedConv's.
  std::size_t slack_bytes = 0;               // That may be read behind the codes and every image.

  std::ptrdiff_t num_pixels() const {
    return static_cast<std::ptrdiff_t>(total_bytes) / pixel_bytes;
  }
};

// Pixels [begin, end) of a tensor, halo included, in the order of memory.
struct PixelRange {
  std::ptrdiff_t begin = 0;
  std::ptrdiff_t end = 0;
};

// What an input is made into before kernels read it.
struct ConvInputForm {
  // Of a pixel of so many codes.
  std::ptrdiff_t (*pixel_bytes)(std::ptrdiff_t code_bytes);
  // A pixel's codes must be a multiple of so many.
  int codes_multiple = 1;
  // Of the whole tensor. Null, as `convert`: kernels read the codes as they are.
  std::size_t (*total_bytes)(const InputCodes& input) = nullptr;
  // Of ranges that cover the tensor each pixel once, in any order or side by side.
  void (*convert)(const ElementwiseKernels& elementwise, const InputCodes& input,
                  const PixelRange& pixels, std::uint8_t* form) = nullptr;
  // What is made of all converted pixels, or null.
  void (*complete)(const ElementwiseKernels& elementwise, const InputCodes& input,
                   std::uint8_t* form) = nullptr;
  // What it takes from each code.
  int code_offset = 0;
  // Sets what kernels need to know of the form besides its pixels, if there is anything.
  void (*set_args)(const InputCodes& input, ConvArgs* args) = nullptr;

  bool is_codes() const { return convert == nullptr; }

  void ConvertAll(const ElementwiseKernels& elementwise, const InputCodes& input,
                  std::uint8_t* form) const {
    convert(elementwise, input, {0, input.num_pixels()}, form);
    if (complete != nullptr) complete(elementwise, input, form);
  }
};

// The codes themselves.
extern const ConvInputForm kCodesForm;
// The codes of 8 bits less 128, for products of signed bytes.
extern const ConvInputForm kSignedCodesForm;

struct ConvFormat {
  // Formats that multiply alike share it: of their rows the first exact one is worth timing.
  std::string_view way;
  const ConvInputForm* input = &kCodesForm;
  // Instead, where codes have 8 bits; null: the same.
  const ConvInputForm* input_of_8_bits = nullptr;
  int elements_per_step = 4;  // Input elements of one step of weights.
  int group_blocks = 1;  // Blocks whose weights lie together: a call begins with the first of them.
  // Output pixels that a layer must have for the format to pay.
  std::int64_t min_pixels = 1;
  std::int64_t max_pixels = INT64_MAX;
  // Kernels take as many passes as the widest channel's width asks for, so channels of different widths are kept
  // apart.
  bool passes_by_width = false;
  // False: a part of the filter has no weights of its own to begin at.
  bool splits_filter = true;
  // Output pixels of a band of rows, whose input and output are to stay cached.
  int band_pixels = 384;
  // With any of these its kernels are not worth timing beside others, which beat them.
  CpuFeatures superseded_by = {};

  // Passes over bits of weights and activations that are taken for one product.
  int (*bit_products)(int weight_bits, int activation_bits) =
      [](int weight_bits, int activation_bits) { return weight_bits * activation_bits; };
  // Steps between which narrow accumulators need no widening, 0 for any number.
  int (*widen_period)(int weight_bits, int activation_bits) = [](int, int) { return 0; };
  // Runs and weights.
  PackedConv (*pack)(const ConvWindow& window, const ConvWeights& weights) = nullptr;
  // Runs of a part of the filter; see ConvRegion. Null if !splits_filter.
  std::vector<DepthRun> (*part_runs)(const ConvWindow& window, const FilterPart& part,
                                     int period) = nullptr;
  // What sums begin at, ConvArgs::begins, of args' runs and weights; empty, as null: at zero.
  std::vector<std::uint8_t> (*begins)(const ConvArgs& args, int num_blocks, int weight_bits,
                                      int activation_bits) = nullptr;

  const ConvInputForm& InputForm(int activation_bits) const {
    return activation_bits == 8 && input_of_8_bits != nullptr ? *input_of_8_bits : *input;
  }

  bool SuitsPixels(std::int64_t output_pixels) const {
    return min_pixels <= output_pixels && output_pixels <= max_pixels;
  }
};

}  // namespace bitpilot
