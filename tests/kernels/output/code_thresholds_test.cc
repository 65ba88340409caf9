#include "kernels/output/code_thresholds.h"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/output/requantize.h"

namespace bitpilot {
namespace {

// An output stage of kBlockChannels channels that share a scale and a bias.
struct Stage {
  float scale = 1.0F;
  float bias = 0.0F;
  int zero_point = 0;
  int code_min = 0;
  int code_max = 1;

  CodeThresholds Find(std::int64_t largest_sum, bool has_residual = false) const {
    const std::vector<float> scales(kBlockChannels, scale);
    const std::vector<float> biases(kBlockChannels, bias);
    OutputArgs args;
    args.channels = 1;
    args.scale = scales.data();
    args.bias = biases.data();
    args.zero_point = static_cast<float>(zero_point);
    args.code_min = static_cast<float>(code_min);
    args.code_max = static_cast<float>(code_max);
    return FindCodeThresholds(args, has_residual, largest_sum);
  }
};

int CodeOf(const CodeThresholds& thresholds, std::int32_t sum) {
  int reached = 0;
  for (int k = 0; k < thresholds.count; ++k) {
    reached += sum >= thresholds.sums[static_cast<std::size_t>(k * kBlockChannels)] ? 1 : 0;
  }
  return thresholds.flips.front() == 0 ? reached : thresholds.count - reached;
}

// 0.5 is halfway between two codes and goes to the even one: 0, so the first sum above 5 gives 1.
TEST(CodeThresholdsTest, LieWhereRoundingChanges) {
  const CodeThresholds thresholds = Stage{.scale = 0.1F}.Find(100);
  ASSERT_EQ(thresholds.count, 1);
  EXPECT_EQ(thresholds.sums.front(), 6);
  EXPECT_EQ(thresholds.flips.front(), 0);
}

// t = -sum / 8: codes fall from 3 to 0 as sums grow; 3 up to -20 (2.5 is even at 2), so 2 from -20.
TEST(CodeThresholdsTest, CountDownWhereTheScaleIsNegative) {
  const CodeThresholds thresholds = Stage{.scale = -0.125F, .code_max = 3}.Find(100);
  ASSERT_EQ(thresholds.count, 3);
  EXPECT_EQ(thresholds.sums[0], -20);
  EXPECT_EQ(thresholds.sums[kBlockChannels], -11);
  EXPECT_EQ(thresholds.sums[2 * kBlockChannels], -4);
  EXPECT_EQ(thresholds.flips.front(), 0xFF);
}

TEST(CodeThresholdsTest, GiveTheNormativeCodeOfEverySum) {
  constexpr std::int32_t kLargest = 3000;
  for (const float scale : {0.0F, -0.0F, 1e-30F, 0.001F, -0.0137F, 0.37F, -5.0F, 1e20F, -1e20F}) {
    for (const float bias : {0.0F, 0.5F, -0.5F, 1.4999F, 17.0F, -1e20F, 1e20F}) {
      for (const int code_max : {0, 1, 2, 3}) {
        const Stage stage = {scale, bias, code_max / 2, code_max / 3, code_max};
        const CodeThresholds thresholds = stage.Find(kLargest);
        for (std::int32_t sum = -kLargest; sum <= kLargest; ++sum) {
          ASSERT_EQ(CodeOf(thresholds, sum), ToCode(Rescale(sum, scale, bias), stage.zero_point,
                                                    stage.code_min, stage.code_max))
              << sum << " * " << scale << " + " << bias << ", largest code " << code_max;
        }
      }
    }
  }
}

// Above 2^24 floats lie more than 1 apart, which bisection must see.
TEST(CodeThresholdsTest, HoldAtSumsThatFloatsRound) {
  constexpr std::int32_t kLargest = 1 << 29;
  const Stage stage = {.scale = 1.0F / (1 << 27), .code_max = 3};
  const CodeThresholds thresholds = stage.Find(kLargest);
  for (int k = 0; k < thresholds.count; ++k) {
    const std::int32_t threshold = thresholds.sums[static_cast<std::size_t>(k * kBlockChannels)];
    for (const std::int32_t sum : {threshold - 1, threshold, -kLargest, kLargest}) {
      EXPECT_EQ(CodeOf(thresholds, sum), ToCode(Rescale(sum, stage.scale, 0.0F), 0, 0, 3)) << sum;
    }
  }
}

TEST(CodeThresholdsTest, AreNoneForWideCodesResidualsAndHugeSums) {
  EXPECT_EQ(Stage{.code_max = 4}.Find(100).count, 0);
  EXPECT_EQ(Stage{}.Find(100, /*has_residual=*/true).count, 0);
  EXPECT_EQ(Stage{}.Find(std::numeric_limits<std::int32_t>::max()).count, 0);
}

}  // namespace
}  // namespace bitpilot
