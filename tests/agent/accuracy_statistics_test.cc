#include "agent/results/accuracy_statistics.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitpilot {
namespace {

// By hand for 8 of 10, z = 1.96: centre (0.8 + 0.19208) / 1.38416 = 0.71674, half width 0.22664.
TEST(WilsonIntervalTest, MatchesHandComputedInterval) {
  const Interval interval = WilsonInterval(8, 10);
  EXPECT_NEAR(interval.low, 0.4902, 1e-4);
  EXPECT_NEAR(interval.high, 0.9433, 1e-4);
}

TEST(WilsonIntervalTest, StaysInsideZeroAndOneAtTheEdges) {
  EXPECT_EQ(WilsonInterval(0, 5).low, 0.0);
  EXPECT_GT(WilsonInterval(0, 5).high, 0.0);
  EXPECT_EQ(WilsonInterval(5, 5).high, 1.0);
  EXPECT_LT(WilsonInterval(5, 5).low, 1.0);
}

// Classifiers over `both` images that both get right, `only_a` and `only_b` that one gets right,
// and `neither`.
struct Pair {
  std::vector<std::uint8_t> a, b, labels;
  Pair(int both, int only_a, int only_b, int neither) {
    const auto add = [this](int count, std::uint8_t of_a, std::uint8_t of_b) {
      for (int i = 0; i < count; ++i) {
        a.push_back(of_a);
        b.push_back(of_b);
        labels.push_back(1);
      }
    };
    add(both, 1, 1);
    add(only_a, 1, 0);
    add(only_b, 0, 1);
    add(neither, 0, 0);
  }
};

// Newcombe (1998), table II, method 10 of his first example: n = 50, cells 36, 12, 2, 0, difference
// 0.20, interval 0.0569 to 0.3404.
TEST(ComparePredictionsTest, MatchesThePublishedExample) {
  const Pair pair(36, 2, 12, 0);
  const PairedDifference result = ComparePredictions(pair.a, pair.b, pair.labels);
  EXPECT_NEAR(result.difference, 0.20, 1e-12);
  EXPECT_NEAR(result.interval.low, 0.0569, 5e-5);
  EXPECT_NEAR(result.interval.high, 0.3404, 5e-5);
}

TEST(ComparePredictionsTest, GivesZeroForIdenticalPredictions) {
  const Pair pair(90, 0, 0, 10);
  const PairedDifference result = ComparePredictions(pair.a, pair.b, pair.labels);
  EXPECT_EQ(result.difference, 0.0);
  EXPECT_LE(result.interval.low, 0.0);
  EXPECT_GE(result.interval.high, 0.0);
  EXPECT_LT(result.interval.high, 0.05);
}

TEST(ComparePredictionsTest, ChangesSignWhenTheClassifiersAreSwapped) {
  const Pair pair(60, 5, 20, 15);
  const PairedDifference forward = ComparePredictions(pair.a, pair.b, pair.labels);
  const PairedDifference backward = ComparePredictions(pair.b, pair.a, pair.labels);
  EXPECT_DOUBLE_EQ(forward.difference, -backward.difference);
  EXPECT_NEAR(forward.interval.low, -backward.interval.high, 1e-12);
}

}  // namespace
}  // namespace bitpilot
