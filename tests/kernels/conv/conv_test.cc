#include "kernels/conv/conv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <ostream>
#include <random>
#include <string>
#include <vector>

#include "tests/kernels/conv/conv_problem.h"
#include "tests/kernels/conv/conv_tile_model.h"

namespace bitpilot {

// Names the kernel in a failure's message.
void PrintTo(const ConvKernel& kernel, std::ostream* os) { *os << kernel.name; }

namespace {

class ConvKernelTest : public ::testing::TestWithParam<ConvKernel> {
 protected:
  void SetUp() override {
    if (const Isa isa = LevelWith(GetParam().features); !CpuSupports(isa)) {
      GTEST_SKIP() << "this CPU lacks " << ToString(isa);
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

// Codes of one and two bits, which kernels may find by comparison, at all widths of a row and of
// channels; 16 input channels may be taken two pixels at a time.
TEST_P(ConvKernelTest, IsExactForCodesOfOneAndTwoBits) {
  std::mt19937_64 random(9);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    ConvCase conv;
    conv.filter_h = conv.filter_w = pick(0, 3) == 0 ? 1 : 3;
    conv.height = pick(3, 5);
    conv.width = pick(3, 36);
    conv.channels = conv.group_channels =
        std::array{16, 16, 32, 64, 96, 13, 48, 7}[static_cast<std::size_t>(pick(0, 7))];
    conv.padding = conv.filter_h == 3 ? Padding{1, 1, 1, 1} : Padding{};
    conv.stride_h = conv.stride_w = pick(0, 5) == 0 ? 2 : 1;
    conv.out_channels = pick(1, 64);
    conv.weight_bits = std::min(pick(1, 2), GetParam().max_weight_bits);
    conv.activation_bits = std::min(pick(1, 3), GetParam().max_activation_bits);
    conv.zero_point = pick(0, 3) == 0 ? pick(0, conv.max_code()) : 0;
    conv.operands = static_cast<Operands>(pick(0, 5) == 0 ? pick(1, 2) : 0);
    conv.scale = std::array{0.0F, 0.003F, 0.05F, 0.3F, 2.0F}[static_cast<std::size_t>(pick(0, 4))];
    conv.bias = std::array{0.0F, 1.5F, 300.0F / 7.0F}[static_cast<std::size_t>(pick(0, 2))];
    conv.code_max = pick(0, 4);
    conv.code_min = pick(0, 3) == 0 ? pick(0, conv.code_max) : 0;
    conv.output_zero_point = pick(0, 2) == 0 ? pick(0, conv.code_max) : 0;
    conv.has_residual = pick(0, 7) == 0;
    ASSERT_NO_FATAL_FAILURE(ExpectExact(conv, seed, pick(1, 5)));
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

}  // namespace
}  // namespace bitpilot
