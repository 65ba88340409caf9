#include "kernels/conv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "kernels/conv_packing.h"
#include "kernels/elementwise.h"
#include "kernels/owned_output_stage.h"
#include "kernels/requantize.h"
#include "tests/kernels/conv_tile_model.h"

namespace bitpilot {

// Names the kernel in a failure's message.
void PrintTo(const ConvKernel& kernel, std::ostream* os) { *os << kernel.name; }

namespace {

constexpr std::uint8_t kUntouched = 0xEE;

enum class Operands { kRandom, kAllLargest, kAllMostNegative };

// One convolution of one channel group, with every number that a kernel can meet.
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

std::ostream& operator<<(std::ostream& os, const ConvCase& c) {
  return os << c.height << "x" << c.width << "x" << c.channels << " group " << c.first_channel
            << "+" << c.group_channels << " filter " << c.filter_h << "x" << c.filter_w
            << " stride " << c.stride_h << "x" << c.stride_w << " out " << c.out_channels << " w"
            << c.weight_bits << "a" << c.activation_bits << " zero point " << c.zero_point
            << " operands " << static_cast<int>(c.operands) << " residual " << c.has_residual
            << " logits " << c.gives_logits << " scale " << c.scale;
}

// Data of a case, its answer by plain loops, and its answer by a kernel.
class ConvProblem {
 public:
  ConvProblem(const ConvCase& conv, std::uint64_t seed)
      : conv_(conv), random_(seed), row_gap_(seed % 2 == 0 ? 0 : 5) {
    pixel_bytes_ = (conv.channels + 3) / 4 * 4;
    row_bytes_ = pixel_bytes_ * (conv.width + conv.padding.left + conv.padding.right);
    input_.resize(kTensorSlackBytes +
                      static_cast<std::size_t>(
                          row_bytes_ * (conv.height + conv.padding.top + conv.padding.bottom)) +
                      kTensorSlackBytes,
                  static_cast<std::uint8_t>(conv.zero_point));
    for (int y = 0; y < conv.height; ++y) {
      for (int x = 0; x < conv.width; ++x) {
        for (int c = 0; c < pixel_bytes_; ++c) {
          // Bytes behind the last channel are never written by a producer; their weights are zero.
          input_[Offset(y, x) + static_cast<std::size_t>(c)] =
              static_cast<std::uint8_t>(c < conv.channels ? RandomCode() : 255);
        }
      }
    }
    weights_.resize(static_cast<std::size_t>(conv.out_channels * conv.depth()));
    std::generate(weights_.begin(), weights_.end(), [this] { return RandomWeight(); });
    for (int o = 0; o < NumBlocks(conv.out_channels) * kBlockChannels; ++o) {
      // Negative scales come from negative batch-norm gammas.
      scale_.push_back(o % 3 == 1 ? -conv.scale : conv.scale * static_cast<float>(1 + o % 2));
      bias_.push_back(static_cast<float>(Pick(-300, 300)) / 7.0F);
    }
    residual_.resize(output_size() + kTensorSlackBytes, 0);
    std::generate(residual_.begin(), residual_.end(),
                  [this] { return static_cast<std::uint8_t>(Pick(0, 255)); });
  }

  std::vector<std::uint8_t> ExpectedCodes() const {
    std::vector<std::uint8_t> codes(output_size(), kUntouched);
    ForEachOutput([&](int y, int x, int o, float t) {
      codes[OutputOffset(y, x) + static_cast<std::size_t>(o)] =
          ToCode(t, conv_.output_zero_point, conv_.code_min, conv_.code_max);
    });
    return codes;
  }

  std::vector<float> ExpectedLogits() const {
    std::vector<float> logits(static_cast<std::size_t>(conv_.out_channels));
    ForEachOutput([&](int, int, int o, float t) { logits[static_cast<std::size_t>(o)] = t; });
    return logits;
  }

  // Codes or logits, by the kernel, in bands of `band` rows.
  void Run(const ConvKernel& kernel, int band) {
    const ConvWindow window = {.filter_h = conv_.filter_h,
                               .filter_w = conv_.filter_w,
                               .first_channel = conv_.first_channel,
                               .group_channels = conv_.group_channels,
                               .pixel_bytes = pixel_bytes_,
                               .row_bytes = row_bytes_,
                               .all_channels = conv_.group_channels == conv_.channels};
    const PackedConv packed = PackConv(kernel, window, conv_.weight_bits, conv_.activation_bits,
                                       weights_.data(), conv_.out_channels);
    const std::vector<std::int16_t> words(input_.begin(), input_.end());
    const int element_bytes = kernel.operand == ConvOperand::kWords ? 2 : 1;
    const auto* input =
        element_bytes == 2 ? reinterpret_cast<const std::uint8_t*>(words.data()) : input_.data();
    ConvArgs args;
    args.input = input + kTensorSlackBytes * static_cast<std::size_t>(element_bytes);
    args.input_row_bytes = conv_.stride_h * row_bytes_ * element_bytes;
    args.input_pixel_bytes = conv_.stride_w * pixel_bytes_ * element_bytes;
    args.weight_planes = packed.weight_planes;
    args.masks_planes = packed.masks_planes;
    args.weight_plane_bytes = packed.weight_plane_bytes;
    std::vector<std::uint8_t> converted;
    std::vector<std::int32_t> window_sums;
    if (IsPlanes(kernel.operand)) {
      converted = PackInput(&args);
    } else if (kernel.operand == ConvOperand::kTables) {
      converted = BuildTables(&args);
      window_sums = WindowSums(&args);
    } else if (kernel.operand == ConvOperand::kSignTables) {
      converted = BuildSignTables(&args);
    }
    args.runs = packed.runs.data();
    args.widens = std::any_of(packed.runs.begin(), packed.runs.end(),
                              [](const DepthRun& r) { return r.widen; });
    args.weights = packed.weights.data();
    args.weight_block_bytes =
        static_cast<std::ptrdiff_t>(packed.weights.size()) / NumBlocks(conv_.out_channels);
    std::vector<std::int32_t> correction = Correction();
    correction.resize(scale_.size());
    codes_.assign(output_size(), kUntouched);
    logits_.assign(static_cast<std::size_t>(conv_.out_channels), 0.0F);
    args.output = MakeOutputArgs(correction);
    for (int row = 0; row < conv_.out_height(); row += band) {
      kernel.run(args, row, std::min(row + band, conv_.out_height()));
    }
  }

  const std::vector<std::uint8_t>& codes() const { return codes_; }
  const std::vector<float>& logits() const { return logits_; }

 private:
  int Pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  int RandomCode() {
    return conv_.operands == Operands::kRandom ? Pick(0, conv_.max_code()) : conv_.max_code();
  }

  std::int8_t RandomWeight() {
    const int limit = conv_.weight_bits == 1 ? 1 : (1 << (conv_.weight_bits - 1)) - 1;
    switch (conv_.operands) {
      case Operands::kAllLargest:
        return static_cast<std::int8_t>(limit);
      case Operands::kAllMostNegative:
        return static_cast<std::int8_t>(-limit);
      case Operands::kRandom:
        break;
    }
    const int weight = conv_.weight_bits == 1 ? 2 * Pick(0, 1) - 1 : Pick(-limit, limit);
    return static_cast<std::int8_t>(weight);
  }

  // The input as planes, and what `args` says about it.
  std::vector<std::uint8_t> PackInput(ConvArgs* args) const {
    const std::ptrdiff_t pixel = PlanePixelBytes(pixel_bytes_);
    const std::ptrdiff_t num_pixels =
        (static_cast<std::ptrdiff_t>(input_.size() - 2 * kTensorSlackBytes)) / pixel_bytes_;
    args->input_planes = conv_.activation_bits;
    args->input_plane_bytes = num_pixels * pixel + static_cast<std::ptrdiff_t>(kTensorSlackBytes);
    args->input_row_bytes = conv_.stride_h * (row_bytes_ / pixel_bytes_) * pixel;
    args->input_pixel_bytes = conv_.stride_w * pixel;
    // What lies behind a plane must not count.
    std::vector<std::uint8_t> planes(
        static_cast<std::size_t>(conv_.activation_bits * args->input_plane_bytes), 0xFF);
    SelectElementwiseKernels(Isa::kScalar)
        .pack_planes(input_.data() + kTensorSlackBytes, num_pixels, pixel_bytes_,
                     conv_.activation_bits, planes.data(), args->input_plane_bytes);
    args->input = planes.data();
    return planes;
  }

  // The input as tables, and what `args` says about it.
  std::vector<std::uint8_t> BuildTables(ConvArgs* args) const {
    const std::size_t num_tables = (input_.size() - 2 * kTensorSlackBytes) / 4;
    // What lies behind the tables must not count.
    std::vector<std::uint8_t> tables(kTableBytes * (num_tables + 1), 0xFF);
    SelectElementwiseKernels(Isa::kScalar)
        .build_tables(input_.data() + kTensorSlackBytes, num_tables, tables.data());
    // Nor does it: the first entry of a table is the empty sum.
    tables[kTableBytes * num_tables] = 0;
    args->input_row_bytes *= kTableBytes / 4;
    args->input_pixel_bytes *= kTableBytes / 4;
    args->input = tables.data();
    return tables;
  }

  // The same for tables of sums with all signs.
  std::vector<std::uint8_t> BuildSignTables(ConvArgs* args) const {
    const std::ptrdiff_t num_pixels =
        (static_cast<std::ptrdiff_t>(input_.size() - 2 * kTensorSlackBytes)) / pixel_bytes_;
    const std::ptrdiff_t pixel = SignTablePixelBytes(pixel_bytes_);
    std::vector<std::uint8_t> tables(static_cast<std::size_t>(num_pixels * pixel));
    SelectElementwiseKernels(Isa::kScalar)
        .build_sign_tables(input_.data() + kTensorSlackBytes, num_pixels, pixel_bytes_,
                           conv_.channels, tables.data());
    args->input_row_bytes = conv_.stride_h * (row_bytes_ / pixel_bytes_) * pixel;
    args->input_pixel_bytes = conv_.stride_w * pixel;
    args->input = tables.data();
    return tables;
  }

  // Of every output pixel, one beside the other.
  std::vector<std::int32_t> WindowSums(ConvArgs* args) const {
    std::vector<std::int32_t> sums;
    for (int y = 0; y < conv_.out_height(); ++y) {
      for (int x = 0; x < conv_.out_width(); ++x) {
        sums.push_back(WindowSum(y, x));
      }
    }
    args->window_sums = reinterpret_cast<const std::uint8_t*>(sums.data());
    args->window_sums_pixel_bytes = sizeof(std::int32_t);
    args->window_sums_row_bytes = conv_.out_width() * args->window_sums_pixel_bytes;
    return sums;
  }

  std::int32_t WindowSum(int y, int x) const {
    std::int32_t sum = 0;
    for (int ky = 0; ky < conv_.filter_h; ++ky) {
      for (int kx = 0; kx < conv_.filter_w; ++kx) {
        const std::uint8_t* pixel =
            input_.data() + Offset(y * conv_.stride_h - conv_.padding.top + ky,
                                   x * conv_.stride_w - conv_.padding.left + kx);
        sum = std::accumulate(pixel + conv_.first_channel,
                              pixel + conv_.first_channel + conv_.group_channels, sum);
      }
    }
    return sum;
  }

  // Of pixel (y, x), which may lie in the halo.
  std::size_t Offset(int y, int x) const {
    return kTensorSlackBytes + static_cast<std::size_t>((y + conv_.padding.top) * row_bytes_ +
                                                        (x + conv_.padding.left) * pixel_bytes_);
  }

  // Output pixels lie apart, and rows in every second case, so that writing past the last channel
  // or pixel shows.
  std::size_t output_pixel_bytes() const {
    return static_cast<std::size_t>(conv_.out_channels) + 3;
  }
  std::size_t output_row_bytes() const {
    return output_pixel_bytes() * static_cast<std::size_t>(conv_.out_width()) + row_gap_;
  }
  std::size_t output_size() const {
    return output_row_bytes() * static_cast<std::size_t>(conv_.out_height());
  }
  std::size_t OutputOffset(int y, int x) const {
    return static_cast<std::size_t>(y) * output_row_bytes() +
           static_cast<std::size_t>(x) * output_pixel_bytes();
  }

  std::vector<std::int32_t> Correction() const {
    std::vector<std::int32_t> correction;
    for (int o = 0; o < conv_.out_channels; ++o) {
      std::int32_t sum = 0;
      for (int i = 0; i < conv_.depth(); ++i) {
        sum += weights_[static_cast<std::size_t>(o * conv_.depth() + i)];
      }
      correction.push_back(-conv_.zero_point * sum);
    }
    return correction;
  }

  OutputArgs MakeOutputArgs(const std::vector<std::int32_t>& correction) {
    OutputArgs output;
    output.channels = conv_.out_channels;
    output.correction = correction.data();
    output.scale = scale_.data();
    output.bias = bias_.data();
    output.zero_point = static_cast<float>(conv_.output_zero_point);
    output.code_min = static_cast<float>(conv_.code_min);
    output.code_max = static_cast<float>(conv_.code_max);
    output.is_plain = conv_.zero_point == 0 && conv_.output_zero_point == 0 && conv_.code_min == 0;
    output.width = conv_.out_width();
    output.pixel_bytes = static_cast<std::ptrdiff_t>(output_pixel_bytes());
    output.row_bytes = static_cast<std::ptrdiff_t>(output_row_bytes());
    if (conv_.gives_logits) {
      output.logits = logits_.data();
    } else {
      output.codes = codes_.data();
    }
    if (conv_.has_residual) {
      output.residual = residual_.data();
      output.residual_pixel_bytes = output.pixel_bytes;
      output.residual_row_bytes = output.row_bytes;
      output.residual_zero_point = kResidualZeroPoint;
      output.residual_scale = kResidualScale;
    }
    output.stays_in_int32 = StaysInInt32(output, std::int64_t{conv_.depth()} * 255 * 127);
    return output;
  }

  template <class F>
  void ForEachOutput(F f) const {
    for (int y = 0; y < conv_.out_height(); ++y) {
      for (int x = 0; x < conv_.out_width(); ++x) {
        for (int o = 0; o < conv_.out_channels; ++o) {
          const auto channel = static_cast<std::size_t>(o);
          float t = Rescale(Accumulate(y, x, o), scale_[channel], bias_[channel]);
          if (conv_.has_residual) {
            t = AddResidual(t, residual_[OutputOffset(y, x) + channel] - kResidualZeroPoint,
                            kResidualScale);
          }
          f(y, x, o, t);
        }
      }
    }
  }

  std::int32_t Accumulate(int y, int x, int o) const {
    std::int32_t acc = 0;
    std::size_t weight = static_cast<std::size_t>(o * conv_.depth());
    for (int ky = 0; ky < conv_.filter_h; ++ky) {
      for (int kx = 0; kx < conv_.filter_w; ++kx) {
        const std::size_t pixel = Offset(y * conv_.stride_h - conv_.padding.top + ky,
                                         x * conv_.stride_w - conv_.padding.left + kx);
        for (int c = 0; c < conv_.group_channels; ++c) {
          const int code = input_[pixel + static_cast<std::size_t>(conv_.first_channel + c)];
          acc += (code - conv_.zero_point) * weights_[weight++];
        }
      }
    }
    return acc;
  }

  static constexpr int kResidualZeroPoint = 7;
  static constexpr float kResidualScale = 0.37F;

  ConvCase conv_;
  std::mt19937_64 random_;
  std::size_t row_gap_;  // Bytes behind an output row.
  std::ptrdiff_t pixel_bytes_;
  std::ptrdiff_t row_bytes_;
  std::vector<std::uint8_t> input_;
  std::vector<std::int8_t> weights_;
  std::vector<float> scale_;
  std::vector<float> bias_;
  std::vector<std::uint8_t> residual_;
  std::vector<std::uint8_t> codes_;
  std::vector<float> logits_;
};

class ConvKernelTest : public ::testing::TestWithParam<ConvKernel> {
 protected:
  void SetUp() override {
    if (!CpuSupports(GetParam().isa)) {
      GTEST_SKIP() << "this CPU lacks " << ToString(GetParam().isa);
    }
  }

  void ExpectExact(const ConvCase& conv, std::uint64_t seed, int band = 1 << 20) {
    ConvProblem problem(conv, seed);
    problem.Run(GetParam(), band);
    if (conv.gives_logits) {
      ASSERT_EQ(problem.logits(), problem.ExpectedLogits()) << conv;
    } else {
      ASSERT_EQ(problem.codes(), problem.ExpectedCodes()) << conv;
    }
  }

  // Every width that the row claims, both operands.
  template <class F>
  void ForEachWidth(F f) {
    for (int weight_bits = 1; weight_bits <= GetParam().max_weight_bits; ++weight_bits) {
      for (int activation_bits = 1; activation_bits <= GetParam().max_activation_bits;
           ++activation_bits) {
        f(weight_bits, activation_bits);
      }
    }
  }
};

// A window of 342 steps: more than the 156 that 16 bits hold of the narrowest row's (w4a4) largest
// products.
TEST_P(ConvKernelTest, HoldsTheLargestSumsOfEveryWidth) {
  ForEachWidth([&](int weight_bits, int activation_bits) {
    for (const Operands operands : {Operands::kAllLargest, Operands::kAllMostNegative}) {
      ConvCase conv = {.height = 3,
                       .width = 3,
                       .channels = 150,
                       .group_channels = 150,
                       .filter_h = 3,
                       .filter_w = 3,
                       .padding = {1, 1, 1, 1},
                       .out_channels = 17};
      conv.weight_bits = weight_bits;
      conv.activation_bits = activation_bits;
      conv.operands = operands;
      conv.scale = 1e-4F;
      ASSERT_NO_FATAL_FAILURE(ExpectExact(conv, /*seed=*/1));
    }
  });
}

TEST_P(ConvKernelTest, IsExactForEveryWidthOnRandomCodes) {
  ForEachWidth([&](int weight_bits, int activation_bits) {
    ConvCase conv = {.height = 5,
                     .width = 3,
                     .channels = 7,
                     .group_channels = 7,
                     .filter_h = 3,
                     .filter_w = 3,
                     .padding = {0, 1, 1, 0},
                     .out_channels = 33};
    conv.weight_bits = weight_bits;
    conv.activation_bits = activation_bits;
    conv.zero_point = conv.max_code() / 2;
    ASSERT_NO_FATAL_FAILURE(ExpectExact(conv, /*seed=*/2));
  });
}

TEST_P(ConvKernelTest, IsExactOnRandomHostileShapes) {
  std::mt19937_64 random(3);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    ConvCase conv;
    conv.height = pick(1, 9);
    conv.width = pick(1, 9);
    conv.channels = pick(1, 40);
    conv.group_channels = pick(0, 1) == 0 ? conv.channels : pick(1, conv.channels);
    conv.first_channel = pick(0, conv.channels - conv.group_channels);
    conv.filter_h = pick(1, 4);  // Larger than some images: padding makes up for it.
    conv.filter_w = pick(1, 4);
    conv.padding = {conv.filter_h - 1, pick(0, 1) * (conv.filter_w - 1), pick(0, conv.filter_h - 1),
                    conv.filter_w - 1};
    conv.stride_h = pick(1, 3);
    conv.stride_w = pick(1, 3);
    conv.out_channels = pick(1, 70);
    conv.weight_bits = pick(1, GetParam().max_weight_bits);
    conv.activation_bits = pick(1, GetParam().max_activation_bits);
    conv.zero_point = pick(0, 2) == 0 ? pick(0, conv.max_code()) : 0;
    conv.operands = static_cast<Operands>(pick(0, 5) == 0 ? pick(1, 2) : 0);
    conv.has_residual = pick(0, 2) == 0;
    // Above 1, most outputs saturate; the largest leaves the range of an int32 on the way.
    conv.scale = std::array{0.02F, 0.02F, 40.0F, 4.0e6F}[static_cast<std::size_t>(pick(0, 3))];
    conv.output_zero_point = pick(0, 2) == 0 ? pick(0, 255) : 0;
    conv.code_min = pick(0, 3) == 0 ? pick(0, 100) : 0;
    conv.code_max = pick(conv.code_min, 255);
    ASSERT_NO_FATAL_FAILURE(ExpectExact(conv, seed, pick(1, 9)));
  }
}

TEST_P(ConvKernelTest, GivesLogitsAsFloats) {
  for (const int out_channels : {1, 10, 16, 33, 100, 128, 300}) {
    ConvCase conv = {.height = 2,
                     .width = 3,
                     .channels = 21,
                     .group_channels = 21,
                     .filter_h = 2,
                     .filter_w = 3,
                     .out_channels = out_channels};
    conv.weight_bits = GetParam().max_weight_bits;
    conv.activation_bits = GetParam().max_activation_bits;
    conv.zero_point = 1;
    conv.gives_logits = true;
    for (const bool has_residual : {false, true}) {
      conv.has_residual = has_residual;
      ASSERT_NO_FATAL_FAILURE(ExpectExact(conv, /*seed=*/4));
    }
  }
}

TEST_P(ConvKernelTest, IsExactOnRandomWideImages) {
  std::mt19937_64 random(7);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    ConvCase conv;
    conv.height = pick(1, 4);
    conv.width = pick(14, 70);
    conv.channels = pick(1, 70);
    conv.group_channels = conv.channels;
    conv.filter_h = pick(1, conv.height);
    conv.filter_w = pick(1, 5);
    conv.padding = {0, pick(0, 2), pick(0, 1), pick(0, 2)};
    conv.stride_h = pick(1, 2);
    conv.stride_w = pick(1, 2);
    conv.out_channels = pick(1, 40);
    conv.weight_bits = pick(1, GetParam().max_weight_bits);
    conv.activation_bits = pick(1, GetParam().max_activation_bits);
    conv.has_residual = pick(0, 1) == 0;
    ASSERT_NO_FATAL_FAILURE(ExpectExact(conv, seed, pick(1, 4)));
  }
}

// Rows of whole tiles, and whole blocks of channels but for one half: what kernels take without a
// rest.
TEST_P(ConvKernelTest, IsExactOnRowsOfWholeTiles) {
  std::mt19937_64 random(8);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  for (std::uint64_t seed = 0; seed < 90; ++seed) {
    ConvCase conv;
    conv.filter_h = conv.filter_w = pick(0, 2) == 0 ? 3 : 1;
    conv.height = pick(3, 5);
    conv.width = std::array{6, 7}[static_cast<std::size_t>(pick(0, 1))] * pick(1, 4);
    conv.channels = conv.group_channels = pick(1, 12) * pick(1, 4);
    conv.padding = conv.filter_h == 3 ? Padding{1, 1, 1, 1} : Padding{};
    conv.out_channels = 8 * pick(1, 8);
    conv.weight_bits = GetParam().max_weight_bits;
    conv.activation_bits = GetParam().max_activation_bits;
    conv.scale = 1.0F / static_cast<float>(1 << pick(4, 9));
    conv.has_residual = pick(0, 2) == 0;
    conv.output_zero_point = pick(0, 1) == 0 ? pick(0, 255) : 0;
    conv.code_min = pick(0, 3) == 0 ? pick(0, 100) : 0;
    ASSERT_NO_FATAL_FAILURE(ExpectExact(conv, seed, pick(1, 5)));
  }
}

// Fully connected: one pixel, channels in whole and in parts of the groups that kernels make.
TEST_P(ConvKernelTest, IsExactForManyChannelsOfOnePixel) {
  for (const int out_channels : {113, 127, 128, 129, 160, 257}) {
    ConvCase conv = {
        .channels = 45, .group_channels = 45, .out_channels = out_channels, .zero_point = 1};
    conv.weight_bits = GetParam().max_weight_bits;
    conv.activation_bits = GetParam().max_activation_bits;
    for (const bool has_residual : {false, true}) {
      conv.has_residual = has_residual;
      ASSERT_NO_FATAL_FAILURE(ExpectExact(conv, /*seed=*/5));
    }
  }
}

// 72,000 products of 255 and 127 pass 2^31; without the zero point's share they do not.
TEST_P(ConvKernelTest, IsExactWhereOnlyTheCorrectedSumFits) {
  for (const Operands operands : {Operands::kAllLargest, Operands::kAllMostNegative}) {
    ConvCase conv = {.channels = 72'000, .group_channels = 72'000, .out_channels = 5};
    conv.weight_bits = GetParam().max_weight_bits;
    conv.activation_bits = GetParam().max_activation_bits;
    conv.zero_point = (conv.max_code() + 1) / 2;
    conv.operands = operands;
    conv.scale = 1e-7F;
    conv.gives_logits = true;
    ASSERT_NO_FATAL_FAILURE(ExpectExact(conv, /*seed=*/6));
  }
}

std::vector<ConvKernel> TestedKernels() {
  std::vector<ConvKernel> kernels(AllConvKernels().begin(), AllConvKernels().end());
  kernels.push_back(kTileModelKernel);  // Tiles, whatever this CPU has.
  return kernels;
}

INSTANTIATE_TEST_SUITE_P(AllKernels, ConvKernelTest, ::testing::ValuesIn(TestedKernels()),
                         [](const auto& param) { return std::string(param.param.name); });

// 2 * 255 * 7 = 3570 a step at worst; nine of them are 32130, a tenth would pass 32767.
TEST(Int16PeriodTest, CountsStepsThatCannotOverflow) {
  EXPECT_EQ(Int16Period(4, 8), 9);
  EXPECT_EQ(Int16Period(7, 8), 1);
  EXPECT_EQ(Int16Period(8, 8), 0);
  EXPECT_EQ(Int16Period(1, 1), 16383);
  EXPECT_EQ(Int16Period(2, 1), 16383);
}

// A look-up finds the sum of up to 4 codes, and a byte holds 255.
TEST(TablePeriodTest, CountsStepsThatCannotOverflow) {
  EXPECT_EQ(TablePeriod(1, 1), 63);
  EXPECT_EQ(TablePeriod(1, 2), 21);
  EXPECT_EQ(TablePeriod(1, 4), 4);
  EXPECT_EQ(TablePeriod(2, 4), 2);
}

TEST(TablePositionTest, IsAPermutationOfTheBlock) {
  std::vector<int> channels(kBlockChannels, 0);
  for (int channel = 0; channel < kBlockChannels; ++channel) {
    ++channels.at(static_cast<std::size_t>(TablePosition(channel)));
  }
  EXPECT_EQ(channels, std::vector<int>(kBlockChannels, 1));
}

// 4 * 255 * 127 = 129540 a step at worst; 8 of them are below 2^20, a ninth would not be.
TEST(FieldPeriodTest, CountsStepsThatCannotOverflow) {
  EXPECT_EQ(FieldPeriod(21, 8, 8), 8);
  EXPECT_EQ(FieldPeriod(16, 4, 4), 78);
  EXPECT_EQ(FieldPeriod(8, 1, 1), 31);
  EXPECT_EQ(FieldPeriod(32, 8, 8), 16577);
}

TEST(FieldWordsTest, HoldABlockOfChannels) {
  EXPECT_EQ(FieldWords(32), 8);
  EXPECT_EQ(FieldWords(21), 6);  // 18 fields.
  EXPECT_EQ(FieldWords(16), 4);
  EXPECT_EQ(FieldWords(10), 3);
  EXPECT_EQ(FieldWords(8), 2);
}

TEST(SelectConvKernelTest, CoversEveryWidthOnEveryInstructionSet) {
  for (const Isa limit : {Isa::kScalar, Isa::kScalarPopcnt, Isa::kSse4, Isa::kAvx2, Isa::kAvxVnni,
                          Isa::kAvx512Vnni, Isa::kAmx}) {
    for (int weight_bits = 1; weight_bits <= 8; ++weight_bits) {
      for (int activation_bits = 1; activation_bits <= 8; ++activation_bits) {
        const ConvKernel& kernel = SelectConvKernel(limit, weight_bits, activation_bits, 1, 4);
        EXPECT_TRUE(Allows(limit, kernel.isa));
        EXPECT_LE(weight_bits, kernel.max_weight_bits);
        EXPECT_LE(activation_bits, kernel.max_activation_bits);
        EXPECT_LE(BitProducts(kernel.operand, weight_bits, activation_bits),
                  kernel.max_bit_products);
      }
    }
  }
}

// A pass a plane of the activations and a magnitude bit of the weights.
TEST(BitProductsTest, CountSignsAndMagnitudesOfWeights) {
  EXPECT_EQ(BitProducts(ConvOperand::kSignPlanes, 1, 1), 1);
  EXPECT_EQ(BitProducts(ConvOperand::kSignPlanes, 2, 2), 2);
  EXPECT_EQ(BitProducts(ConvOperand::kSignPlanes, 8, 8), 56);
  EXPECT_EQ(BitProducts(ConvOperand::kPlanes64, 2, 2), 4);
}

// Up to two passes over planes, then up to two look-ups, then dot products of bytes.
TEST(SelectConvKernelTest, PrefersPlanesThenTablesThenBytes) {
  const auto operand = [](int weight_bits, int activation_bits) {
    return SelectConvKernel(Isa::kAvx512Vnni, weight_bits, activation_bits, /*depth=*/64,
                            /*output_pixels=*/64)
        .operand;
  };
  if (operand(1, 1) != ConvOperand::kSignPlanes) {
    GTEST_SKIP() << "this build has no kernels for AVX-512";
  }
  EXPECT_EQ(operand(1, 2), ConvOperand::kSignPlanes);
  EXPECT_EQ(operand(2, 2), ConvOperand::kSignPlanes);
  EXPECT_EQ(operand(3, 1), ConvOperand::kSignPlanes);
  EXPECT_EQ(operand(2, 3), ConvOperand::kSignTables);
  EXPECT_EQ(operand(1, 5), ConvOperand::kSignTables);
  EXPECT_EQ(operand(1, 6), ConvOperand::kBytes);
  EXPECT_EQ(operand(3, 2), ConvOperand::kBytes);
}

// With fewer steps between widenings a row is no faster than the wider sums behind it.
TEST(ConvKernelTableTest, NarrowSumsHoldSeveralStepsOfTheWidestOperands) {
  for (const ConvKernel& kernel : AllConvKernels()) {
    if (kernel.operand == ConvOperand::kFields) {
      EXPECT_GE(
          FieldPeriod(kernel.accumulator_bits, kernel.max_weight_bits, kernel.max_activation_bits),
          8)
          << kernel.name;
    } else if (kernel.accumulator_bits == 16) {
      EXPECT_GE(Int16Period(kernel.max_weight_bits, kernel.max_activation_bits), 4) << kernel.name;
    }
  }
}

}  // namespace
}  // namespace bitpilot
