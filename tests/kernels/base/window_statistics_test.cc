#include "kernels/base/window_statistics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

namespace bitpilot {
namespace {

// 1, 2, ..., n in a shuffled order: rank k has value k.
std::vector<double> Ranks(int n) {
  std::vector<double> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 1.0);
  std::shuffle(values.begin(), values.end(), std::mt19937(3));
  return values;
}

TEST(MedianTest, TakesTheMiddleOrTheMeanOfTheTwoMiddleValues) {
  EXPECT_DOUBLE_EQ(Median(std::vector<double>{7}), 7);
  EXPECT_DOUBLE_EQ(Median(std::vector<double>{9, 1, 5}), 5);
  EXPECT_DOUBLE_EQ(Median(std::vector<double>{9, 1, 5, 2}), 3.5);
}

// Ranks and levels from the binomial distribution by hand: n = 9, P(B <= 1) = 10 / 512, so [x2, x8]
// covers with 1 - 20 / 512; n = 15: [x4, x12], 1 - 2 * 576 / 32768; n = 21: [x6, x16], 1 - 2 *
// 27896 / 2^21; n = 31: [x10, x22], 1 - 2 * 31621024 / 2^31.
TEST(SignTestIntervalTest, EqualsTheBinomialTable) {
  struct Row {
    int n;
    double low;
    double high;
    double confidence;
  };
  const Row rows[] = {{9, 2, 8, 1.0 - 20.0 / 512},
                      {15, 4, 12, 1.0 - 2.0 * 576 / 32'768},
                      {21, 6, 16, 1.0 - 2.0 * 27'896 / 2'097'152},
                      {31, 10, 22, 1.0 - 2.0 * 31'621'024 / 2'147'483'648.0}};
  for (const Row& row : rows) {
    const MedianInterval interval = SignTestInterval(Ranks(row.n));
    EXPECT_DOUBLE_EQ(interval.low, row.low) << row.n;
    EXPECT_DOUBLE_EQ(interval.high, row.high) << row.n;
    EXPECT_NEAR(interval.confidence, row.confidence, 1e-12) << row.n;
  }
}

TEST(SignTestIntervalTest, SaysWhatTheRangeOfFewSamplesIsWorth) {
  EXPECT_DOUBLE_EQ(SignTestInterval(Ranks(1)).confidence, 0.0);
  const MedianInterval five = SignTestInterval(Ranks(5));
  EXPECT_DOUBLE_EQ(five.low, 1);
  EXPECT_DOUBLE_EQ(five.high, 5);
  EXPECT_DOUBLE_EQ(five.confidence, 1.0 - 2.0 / 32);
}

// From tables of Student's distribution.
TEST(StudentT95Test, EqualsTheTable) {
  const std::pair<int, double> rows[] = {{1, 12.7062}, {2, 4.3027},  {4, 2.7764},  {10, 2.2281},
                                         {11, 2.2010}, {20, 2.0860}, {60, 2.0003}, {1000, 1.9623}};
  for (const auto& [degrees_of_freedom, t] : rows) {
    EXPECT_NEAR(StudentT95(degrees_of_freedom), t, 2e-4) << degrees_of_freedom;
  }
}

TEST(CenteredInterval95Test, TakesStudentsIntervalOfFewValues) {
  // Mean 3, variance 8, standard error 2.
  const CenteredInterval two = CenteredInterval95(std::vector<double>{1, 5});
  EXPECT_DOUBLE_EQ(two.value, 3.0);
  EXPECT_NEAR(two.half_width, 2.0 * 12.7062, 1e-3);
  // Mean 4, variance 9, standard error sqrt(3).
  const CenteredInterval three = CenteredInterval95(std::vector<double>{1, 4, 7});
  EXPECT_DOUBLE_EQ(three.value, 4.0);
  EXPECT_NEAR(three.half_width, 1.73205 * 4.3027, 1e-3);
}

TEST(CenteredInterval95Test, TakesOrderStatisticsFromSixValuesOn) {
  const CenteredInterval six = CenteredInterval95(std::vector<double>{1, 2, 3, 4, 5, 100});
  EXPECT_DOUBLE_EQ(six.value, 3.5);
  EXPECT_DOUBLE_EQ(six.half_width, 96.5);  // to the farther end of [1, 100]
  // Of nine the second and the eighth.
  const CenteredInterval nine = CenteredInterval95(std::vector<double>{0, 1, 2, 3, 4, 5, 6, 9, 99});
  EXPECT_DOUBLE_EQ(nine.value, 4.0);
  EXPECT_DOUBLE_EQ(nine.half_width, 5.0);
}

TEST(CenteredInterval95Test, KeepsEqualValuesAsTheyAre) {
  const CenteredInterval interval = CenteredInterval95(std::vector<double>{0.1, 0.1, 0.1});
  EXPECT_EQ(interval.value, 0.1);
  EXPECT_EQ(interval.half_width, 0.0);
}

// Coverage is what the interval promises. 4,000 trials of a skewed distribution (median of exp(1)
// is ln 2); the standard error of a rate of 0.961 is 0.003, so 0.945 is five of them below.
TEST(SignTestIntervalTest, CoversTheMedianOfSkewedNoiseAsOftenAsItSays) {
  std::mt19937_64 random(17);
  std::exponential_distribution<double> noise(1.0);
  int covered = 0;
  constexpr int kTrials = 4'000;
  for (int trial = 0; trial < kTrials; ++trial) {
    std::vector<double> windows(9);
    for (double& window : windows) window = noise(random);
    const MedianInterval interval = SignTestInterval(windows);
    covered += interval.low <= 0.6931471805599453 && 0.6931471805599453 <= interval.high;
  }
  EXPECT_GT(covered, 0.945 * kTrials);
}

TEST(DriftTest, ComparesTheMediansOfTheOuterThirds) {
  EXPECT_DOUBLE_EQ(Drift(std::vector<double>{8, 8, 8, 99, 1, 50, 10, 10, 10}), 0.25);
  EXPECT_DOUBLE_EQ(Drift(std::vector<double>{1, 2}), 0.0);
}

// 10, 11, 12: a slope of 1 a step over 2 steps, mean 11.
TEST(RelativeSlopeTest, IsTheFittedChangeOverTheSpan) {
  EXPECT_DOUBLE_EQ(RelativeSlope(std::vector<double>{10, 11, 12}), 2.0 / 11.0);
  EXPECT_DOUBLE_EQ(RelativeSlope(std::vector<double>{5, 5, 5, 5, 5}), 0.0);
  EXPECT_LT(RelativeSlope(std::vector<double>{12, 11, 10}), 0.0);
}

}  // namespace
}  // namespace bitpilot
