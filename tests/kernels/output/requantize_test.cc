#include "kernels/output/requantize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace bitpilot {
namespace {

constexpr std::int32_t kMaxAcc = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kMinAcc = std::numeric_limits<std::int32_t>::min();

TEST(ToCodeTest, BreaksTiesToEven) {
  EXPECT_EQ(ToCode(0.5F, 0, 0, 255), 0);
  EXPECT_EQ(ToCode(1.5F, 0, 0, 255), 2);
  EXPECT_EQ(ToCode(2.5F, 0, 0, 255), 2);
  EXPECT_EQ(ToCode(254.5F, 0, 0, 255), 254);
  // The zero point is added before rounding: -1.5 + 5 = 3.5 becomes 4, while round(-1.5) + 5 would
  // be 3.
  EXPECT_EQ(ToCode(-1.5F, 5, 0, 255), 4);
}

TEST(ToCodeTest, RoundsNeighboursOfATieAway) {
  EXPECT_EQ(ToCode(std::nextafterf(0.5F, 1.0F), 0, 0, 255), 1);
  EXPECT_EQ(ToCode(std::nextafterf(1.5F, 1.0F), 0, 0, 255), 1);
}

TEST(ToCodeTest, SaturatesToTheCodeRange) {
  EXPECT_EQ(ToCode(1000.0F, 0, 0, 255), 255);
  EXPECT_EQ(ToCode(-1000.0F, 0, 0, 255), 0);
  EXPECT_EQ(ToCode(14.6F, 0, 0, 15), 15);
  EXPECT_EQ(ToCode(15.6F, 0, 0, 15), 15);
  EXPECT_EQ(ToCode(1.0F, 0, 3, 12), 3);
  EXPECT_EQ(ToCode(12.4F, 0, 3, 12), 12);
  EXPECT_EQ(ToCode(-0.4F, 0, 0, 1), 0);
  EXPECT_EQ(ToCode(0.6F, 0, 0, 1), 1);
  EXPECT_EQ(ToCode(7.0F, 0, 9, 9), 9);
}

// Beyond 2^31 a conversion without the clamp would give INT_MIN on x86 and INT_MAX on Arm.
TEST(ToCodeTest, SaturatesWhereConversionIsNotDefined) {
  EXPECT_EQ(ToCode(4e9F, 0, 0, 255), 255);
  EXPECT_EQ(ToCode(-4e9F, 0, 0, 255), 0);
  EXPECT_EQ(ToCode(std::numeric_limits<float>::infinity(), 0, 0, 255), 255);
  EXPECT_EQ(ToCode(-std::numeric_limits<float>::infinity(), 0, 0, 255), 0);
}

TEST(RescaleTest, RoundsTheAccumulatorToNearestEven) {
  // Above 2^24 floats are 2 apart: 2^24 + 1 is a tie and goes to 2^24, 2^24 + 3 to 2^24 + 4.
  EXPECT_EQ(Rescale(16'777'217, 1.0F, 0.0F), 16'777'216.0F);
  EXPECT_EQ(Rescale(16'777'219, 1.0F, 0.0F), 16'777'220.0F);
  EXPECT_EQ(Rescale(-16'777'217, 1.0F, 0.0F), -16'777'216.0F);
}

TEST(RescaleTest, AcceptsExtremeAccumulators) {
  EXPECT_EQ(Rescale(kMaxAcc, 1.0F, 0.0F), 2'147'483'648.0F);
  EXPECT_EQ(Rescale(kMinAcc, 1.0F, 0.0F), -2'147'483'648.0F);
  EXPECT_EQ(Rescale(kMinAcc, -0.5F, 1.0F), 1'073'741'824.0F);  // 2^30 + 1 rounds to 2^30.
}

TEST(RescaleTest, TakesNegativeScalesAndScalesAboveOne) {
  EXPECT_EQ(Rescale(10, -0.5F, 2.0F), -3.0F);
  EXPECT_EQ(Rescale(10, 7.5F, -100.0F), -25.0F);
  EXPECT_EQ(Rescale(123, 0.0F, 4.0F), 4.0F);
}

// The exact product of 1 + 2^-12 with itself is 1 + 2^-11 + 2^-24; rounded to float first, the last
// term (half a unit in the last place) is lost, and adding -(1 + 2^-11) gives 0. A fused
// multiply-add would give 2^-24.
TEST(RescaleTest, RoundsTheProductBeforeItAddsTheBias) {
  volatile float scale = 4097.0F / 4096.0F / 4096.0F;  // (1 + 2^-12) * 2^-12
  volatile float bias = -(1.0F + 1.0F / 2048.0F);
  EXPECT_EQ(Rescale(4097, scale, bias), 0.0F);
}

// 3 * (1 + 2^-23) = 3 + 1.5 * 2^-22. Floats near 3 are 2^-22 apart, so that is a tie and goes to
// the even 3 + 2 * 2^-22. A fused multiply-add would keep 1.5 * 2^-22.
TEST(AddResidualTest, RoundsTheProductBeforeItAddsIt) {
  volatile float scale = 1.0F + 1.0F / 8388608.0F;
  volatile float t = -3.0F;
  EXPECT_EQ(AddResidual(t, 3, scale), 2.0F / 4194304.0F);
}

TEST(AddResidualTest, TakesNegativeResidualsAndScales) {
  EXPECT_EQ(AddResidual(1.0F, -255, 0.5F), -126.5F);
  EXPECT_EQ(AddResidual(1.0F, -2, -3.0F), 7.0F);
  EXPECT_EQ(AddResidual(1.0F, 0, 1e20F), 1.0F);
}

}  // namespace
}  // namespace bitpilot
