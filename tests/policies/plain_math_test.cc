#include "policies/plain_math.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "policies/random_stream.h"

namespace bitpilot {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Distance in units of the last place of `expected`, which the C library gives within one of them.
double UlpDistance(double actual, double expected) {
  const double ulp = std::nextafter(std::abs(expected), kInfinity) - std::abs(expected);
  return std::abs(actual - expected) / ulp;
}

TEST(PlainExpTest, IsWithinTwoUlpOfTheExponential) {
  RandomStream random(1, "exp");
  for (int i = 0; i < 200'000; ++i) {
    const double scale = i % 2 == 0 ? 708.0 : 1.0;
    const double x = scale * (2.0 * random.NextUniform() - 1.0);
    ASSERT_LE(UlpDistance(PlainExp(x), std::exp(x)), 3.0) << x;
  }
}

TEST(PlainExpTest, EqualsKnownValuesAndKeepsToItsDomain) {
  EXPECT_EQ(PlainExp(0.0), 1.0);
  EXPECT_EQ(PlainExp(-0.0), 1.0);
  EXPECT_LE(UlpDistance(PlainExp(1.0), 0x1.5bf0a8b145769p+1), 2.0);  // e
  EXPECT_EQ(PlainExp(kInfinity), kInfinity);
  EXPECT_EQ(PlainExp(710.0), kInfinity);
  EXPECT_EQ(PlainExp(-kInfinity), 0.0);
  EXPECT_EQ(PlainExp(-709.0), 0.0);
  EXPECT_TRUE(std::isnan(PlainExp(kNaN)));
  EXPECT_TRUE(std::isfinite(PlainExp(709.78)));
  EXPECT_GT(PlainExp(-708.39), 0.0);
}

TEST(PlainLogTest, IsWithinTwoUlpOfTheLogarithm) {
  RandomStream random(1, "log");
  for (int i = 0; i < 200'000; ++i) {
    const double near_one = 0.5 + random.NextUniform();
    const double anywhere = std::exp(1400.0 * (random.NextUniform() - 0.5));
    ASSERT_LE(UlpDistance(PlainLog(near_one), std::log(near_one)), 3.0) << near_one;
    ASSERT_LE(UlpDistance(PlainLog(anywhere), std::log(anywhere)), 3.0) << anywhere;
  }
}

TEST(PlainLogTest, EqualsKnownValuesAndKeepsToItsDomain) {
  EXPECT_EQ(PlainLog(1.0), 0.0);
  EXPECT_LE(UlpDistance(PlainLog(2.0), 0x1.62e42fefa39efp-1), 2.0);  // ln 2
  EXPECT_EQ(PlainLog(0.0), -kInfinity);
  EXPECT_EQ(PlainLog(kInfinity), kInfinity);
  EXPECT_TRUE(std::isnan(PlainLog(-1.0)));
  EXPECT_TRUE(std::isnan(PlainLog(kNaN)));
  // The smallest subnormal is 2^-1074.
  EXPECT_NEAR(PlainLog(0x1p-1074), -1074.0 * 0x1.62e42fefa39efp-1, 1e-12);
}

TEST(PlainHalfCosineTest, FallsFromOneToZeroAsTheCosineDoes) {
  EXPECT_EQ(PlainHalfCosine(0.0), 1.0);
  EXPECT_EQ(PlainHalfCosine(0.5), 0.5);
  EXPECT_EQ(PlainHalfCosine(1.0), 0.0);
  EXPECT_NEAR(PlainHalfCosine(1.0 / 3.0), 0.75, 0x1p-52);  // cos 60 degrees = 1/2
  double before = 1.0;
  for (int i = 1; i <= 10'000; ++i) {
    const double t = i / 10'000.0;
    const double now = PlainHalfCosine(t);
    ASSERT_NEAR(now, 0.5 * (1.0 + std::cos(std::numbers::pi * t)), 0x1p-52) << t;
    ASSERT_LT(now, before) << t;
    ASSERT_GE(now, 0.0) << t;
    before = now;
  }
}

}  // namespace
}  // namespace bitpilot
