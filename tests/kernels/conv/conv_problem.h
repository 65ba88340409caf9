// One convolution with every number that a kernel can meet, for tests of the rows of
// kernels/conv/conv_kernels.inc: its data, its answer by plain loops and its answer by a kernel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <random>
#include <vector>

#include "kernels/base/topology.h"
#include "kernels/conv/conv_format.h"
#include "kernels/output/code_thresholds.h"
#include "tests/kernels/guarded_memory.h"

namespace bitpilot {

enum class Operands { kRandom, kAllLargest, kAllMostNegative };

// A convolution of one channel group.
struct ConvCase {
  int height = 1;
  int width = 1;
  int channels = 1;       // Of the input tensor.
  int first_channel = 0;  // Of the group.
  int group_channels = 1;
  int filter_h = 1;
  int filter_w = 1;
  int stride_h = 1;
  int stride_w = 1;
  Padding padding = {};
  int out_channels = 1;
  int weight_bits = 8;
  int activation_bits = 8;
  int zero_point = 0;
  Operands operands = Operands::kRandom;
  bool has_residual = false;
  bool gives_logits = false;
  float scale = 0.01F;
  float bias = 300.0F / 7.0F;  // Magnitude, at most.
  int output_zero_point = 0;
  int code_min = 0;
  int code_max = 255;

  int out_height() const {
    return (height + padding.top + padding.bottom - filter_h) / stride_h + 1;
  }
  int out_width() const { return (width + padding.left + padding.right - filter_w) / stride_w + 1; }
  int depth() const { return filter_h * filter_w * group_channels; }
  int max_code() const { return (1 << activation_bits) - 1; }
};

// All fields, for a failure's message.
std::ostream& operator<<(std::ostream& os, const ConvCase& c);

class ConvProblem {
 public:
  // Codes, weights and the output stage at random; every second seed has a gap behind each row of
  // output pixels, every third a residual whose zero point is 0.
  ConvProblem(const ConvCase& conv, std::uint64_t seed);

  // What kernels/output/requantize.h demands; bytes between outputs keep a value that shows writes.
  GuardedVector<std::uint8_t> ExpectedCodes() const;
  GuardedVector<float> ExpectedLogits() const;

  // Codes or logits, by the kernel, in bands of `band` rows. What the kernel reads and writes ends at a protected page, and
  // its input begins at one with every second seed: what lies behind or before it is nobody's.
  void Run(const ConvKernel& kernel, int band);

  const GuardedVector<std::uint8_t>& codes() const { return codes_; }
  const GuardedVector<float>& logits() const { return logits_; }

 private:
  int Pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  int RandomCode();
  std::int8_t RandomWeight();

  // The input in the form, and what `args` says about it; empty where kernels read the codes.
  GuardedVector<std::uint8_t> ConvertInput(const ConvInputForm& form,
                                           std::ptrdiff_t parity_distance, ConvArgs* args) const;
  // Of every output pixel, one beside the other.
  GuardedVector<std::int32_t> WindowSums(ConvArgs* args) const;
  std::int32_t WindowSum(int y, int x) const;

  // Of pixel (y, x), which may lie in the halo.
  std::size_t Offset(int y, int x) const;
  // Output pixels lie apart, and rows in every second case, so that writing past the last channel
  // or pixel shows.
  std::size_t output_pixel_bytes() const;
  std::size_t output_row_bytes() const;
  std::size_t output_size() const;
  std::size_t OutputOffset(int y, int x) const;

  GuardedVector<std::int32_t> Correction(int code_offset) const;
  OutputArgs MakeOutputArgs(const GuardedVector<std::int32_t>& correction);
  // f(y, x, channel, t): before rounding.
  template <class F>
  void ForEachOutput(F f) const;
  std::int32_t Accumulate(int y, int x, int o) const;

  ConvCase conv_;
  std::mt19937_64 random_;
  std::size_t row_gap_;  // Bytes behind an output row.
  int residual_zero_point_;
  std::ptrdiff_t pixel_bytes_;
  std::ptrdiff_t row_bytes_;
  GuardedSide input_guard_;
  GuardedVector<std::uint8_t> input_;
  std::vector<std::int8_t> weights_;
  GuardedVector<float> scale_;
  GuardedVector<float> bias_;
  CodeThresholds thresholds_;
  GuardedVector<std::uint8_t> residual_;
  GuardedVector<std::uint8_t> codes_;
  GuardedVector<float> logits_;
};

}  // namespace bitpilot
