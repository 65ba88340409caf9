#include "agent/qat/lsq_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/agent/normal_values.h"

namespace bitpilot {
namespace {

// Equation 3 by hand: round(v) - v inside the range, q_max above it, so (0 - 0.4) + (2 - 1.6) + 3
// = 3.
TEST(FakeQuantizeBackwardTest, StepGradientMatchesEquationThree) {
  const std::vector<float> x{0.4F, 1.6F, 9.0F};
  const std::vector<float> dy{1.0F, 1.0F, 1.0F};
  std::vector<float> dx(3);
  const double ds =
      FakeQuantizeBackward(x.data(), dy.data(), dx.data(), 3, 1.0F, ActivationRange(2, 0));
  EXPECT_NEAR(ds, 3.0, 1e-6);
  EXPECT_EQ(dx, (std::vector<float>{1.0F, 1.0F, 0.0F}));
}

// Below the range of codes with zero point 1 the level is -1, and weighs with its own gradient: 2 *
// -1 + 1 * (1 - 0.8).
TEST(FakeQuantizeBackwardTest, ClampsAtTheZeroPointFromBelow) {
  const std::vector<float> x{-6.0F, 1.6F};
  const std::vector<float> dy{2.0F, 1.0F};
  std::vector<float> dx(2);
  const double ds =
      FakeQuantizeBackward(x.data(), dy.data(), dx.data(), 2, 2.0F, ActivationRange(2, 1));
  EXPECT_NEAR(ds, -2.0 + 0.2, 1e-6);
  EXPECT_EQ(dx, (std::vector<float>{0.0F, 1.0F}));
}

// One bit: gradient passes within one step of zero; ds = -1 + 1 + 1 = 1.
TEST(FakeQuantizeBackwardTest, OneBitPassesGradientsWithinOneStep) {
  const std::vector<float> x{-0.5F, 0.2F, 3.0F};
  const std::vector<float> dy{1.0F, 1.0F, 1.0F};
  std::vector<float> dx(3);
  const double ds = FakeQuantizeBackward(x.data(), dy.data(), dx.data(), 3, 1.0F, WeightRange(1));
  EXPECT_NEAR(ds, 1.0, 1e-6);
  EXPECT_EQ(dx, (std::vector<float>{1.0F, 1.0F, 0.0F}));
}

TEST(FakeQuantizeTest, OneBitHasNoZero) {
  const std::vector<float> x{-7.0F, -0.01F, 0.0F, 0.01F, 7.0F};
  std::vector<float> y(5);
  FakeQuantize(x.data(), y.data(), 5, 0.5F, WeightRange(1));
  EXPECT_EQ(y, (std::vector<float>{-0.5F, -0.5F, 0.5F, 0.5F, 0.5F}));
}

TEST(FakeQuantizeTest, RoundsTiesToEven) {
  const std::vector<float> x{0.5F, 1.5F, 2.5F, -0.5F, -1.5F, -2.5F};
  std::vector<float> y(6);
  FakeQuantize(x.data(), y.data(), 6, 1.0F, WeightRange(4));
  EXPECT_EQ(y, (std::vector<float>{0.0F, 2.0F, 2.0F, 0.0F, -2.0F, -2.0F}));
}

TEST(FakeQuantizeTest, ClampsHugeAndInfiniteValues) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> x{-infinity, -1e30F, 1e30F, infinity};
  FakeQuantize(x.data(), x.data(), 4, 0.25F, WeightRange(3));
  EXPECT_EQ(x, (std::vector<float>{-0.75F, -0.75F, 0.75F, 0.75F}));
}

TEST(FakeQuantizeTest, UsesExactlyTheLevelsThatExportStores) {
  const std::vector<float> x = NormalValues(1000, 3);
  for (int bits = 1; bits <= 8; ++bits) {
    const LevelRange range = WeightRange(bits);
    std::vector<float> y(x.size());
    std::vector<std::int8_t> levels(x.size());
    FakeQuantize(x.data(), y.data(), x.size(), 0.037F, range);
    QuantizeToLevels(x.data(), levels.data(), x.size(), 0.037F, range);
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(y[i], static_cast<float>(levels[i]) * 0.037F) << bits << " bits, value " << i;
      ASSERT_LE(std::abs(levels[i]), static_cast<int>(range.max));
    }
  }
}

// Lengths around the 16 lanes and the blocks of 4096, against a plain loop in double. The tolerance
// is 2^-20 of the terms' sum of magnitudes: float terms, at most 256 of them added in float.
class AnyLengthTest : public testing::TestWithParam<std::size_t> {};

TEST_P(AnyLengthTest, SumsAgreeWithAPlainLoop) {
  const std::size_t n = GetParam();
  const std::vector<float> x = NormalValues(n, 5);
  const std::vector<float> dy = NormalValues(n, 6);
  const LevelRange range = ActivationRange(3, 2);
  std::vector<float> dx(n);
  const double ds = FakeQuantizeBackward(x.data(), dy.data(), dx.data(), n, 0.25F, range);
  const double error = QuantizationError(x.data(), n, 0.25F, range);
  double expected_ds = 0.0;
  double expected_error = 0.0;
  double magnitude = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double v = x[i] / 0.25;
    const bool inside = v >= range.min && v <= range.max;
    const double level = inside ? std::nearbyint(v) : (v < 0 ? range.min : range.max);
    expected_ds += dy[i] * (inside ? level - v : level);
    magnitude += std::abs(dy[i] * range.max);
    expected_error += (level * 0.25 - x[i]) * (level * 0.25 - x[i]);
    EXPECT_EQ(dx[i], inside ? dy[i] : 0.0F);
  }
  EXPECT_NEAR(ds, expected_ds, std::ldexp(magnitude, -20));
  EXPECT_NEAR(error, expected_error, std::ldexp(expected_error, -18));
}

INSTANTIATE_TEST_SUITE_P(Lengths, AnyLengthTest,
                         testing::Values(0, 1, 15, 16, 17, 31, 4095, 4096, 4097, 8191, 12345));

TEST(LevelRangeTest, HoldsEveryCodeOfItsWidth) {
  EXPECT_EQ(ActivationRange(8, 0), (LevelRange{0.0F, 255.0F, false}));
  EXPECT_EQ(ActivationRange(1, 0), (LevelRange{0.0F, 1.0F, false}));
  EXPECT_EQ(ActivationRange(2, 1), (LevelRange{-1.0F, 2.0F, false}));
  EXPECT_EQ(WeightRange(8), (LevelRange{-127.0F, 127.0F, false}));
  EXPECT_EQ(WeightRange(2), (LevelRange{-1.0F, 1.0F, false}));
  EXPECT_EQ(WeightRange(1), (LevelRange{-1.0F, 1.0F, true}));
}

TEST(LsqGradientScaleTest, IsOneOverRootOfCountTimesTopLevel) {
  EXPECT_DOUBLE_EQ(LsqGradientScale(3, ActivationRange(2, 0)), 1.0 / 3.0);
  EXPECT_DOUBLE_EQ(LsqGradientScale(16, WeightRange(1)), 0.25);
}

}  // namespace
}  // namespace bitpilot
