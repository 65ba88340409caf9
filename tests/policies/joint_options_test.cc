#include "policies/joint_options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "policies/random_stream.h"

namespace bitpilot {
namespace {

const std::vector<Criterion> kLossAndLatency = {&JointOption::loss, &JointOption::latency_ratio};

// Three widths for each variable: fewer bits cost loss and save time.
std::vector<std::vector<JointOption>> Widths(int variables, std::uint64_t seed) {
  RandomStream random(seed, "joint options");
  std::vector<std::vector<JointOption>> widths;
  for (int v = 0; v < variables; ++v) {
    std::vector<JointOption>& of_variable = widths.emplace_back();
    double loss = 0.0;
    for (const int bits : {8, 4, 2}) {
      JointOption option;
      option.loss = loss;
      option.latency_ratio = bits * (1.0 + 0.3 * random.NextUniform());
      option.weight_bits = 10.0 * bits;
      option.widths = {bits};
      loss += random.NextUniform();
      of_variable.push_back(option);
    }
  }
  return widths;
}

// The lowest loss + price x latency of independent variables.
double BestAtPrice(const std::vector<std::vector<JointOption>>& widths, double price) {
  double sum = 0.0;
  for (const std::vector<JointOption>& of_variable : widths) {
    double best = INFINITY;
    for (const JointOption& option : of_variable) {
      best = std::min(best, option.loss + price * option.latency_ratio);
    }
    sum += best;
  }
  return sum;
}

TEST(JointOptionsTest, HullsHoldTheBestOptionAtEveryPriceOfAHundredVariables) {
  const std::vector<std::vector<JointOption>> widths = Widths(100, 1);
  const std::vector<JointOption> options = OptionsOnHulls({}, widths, kLossAndLatency);
  EXPECT_LE(options.size(), 2U * 100U + 1U);
  for (const double price : {0.0, 0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 100.0}) {
    double best = INFINITY;
    for (const JointOption& option : options) {
      best = std::min(best, option.loss + price * option.latency_ratio);
    }
    EXPECT_NEAR(best, BestAtPrice(widths, price), 1e-9 * (1.0 + std::abs(best)));
  }
}

TEST(JointOptionsTest, EveryOptionOfAHullIsTheSumOfItsWidthsAndOneStepFromTheNext) {
  const std::vector<std::vector<JointOption>> widths = Widths(20, 2);
  JointOption start;
  start.loss = 3.0;
  start.widths = {5};
  const std::vector<JointOption> options = OptionsOnHulls(start, widths, kLossAndLatency);
  for (std::size_t i = 0; i < options.size(); ++i) {
    ASSERT_EQ(options[i].widths.size(), 21U);
    EXPECT_EQ(options[i].widths[0], 5);
    double loss = 3.0;
    for (std::size_t v = 0; v < widths.size(); ++v) {
      for (const JointOption& width : widths[v]) {
        if (width.widths[0] == options[i].widths[v + 1]) loss += width.loss;
      }
    }
    EXPECT_NEAR(options[i].loss, loss, 1e-12);
    if (i == 0) continue;
    int different = 0;
    for (std::size_t v = 0; v < options[i].widths.size(); ++v) {
      different += options[i].widths[v] != options[i - 1].widths[v] ? 1 : 0;
    }
    EXPECT_EQ(different, 1);
    EXPECT_LT(options[i].loss, options[i - 1].loss);
    EXPECT_GT(options[i].latency_ratio, options[i - 1].latency_ratio);
  }
}

TEST(JointOptionsTest, VariablesThatAreAllAlikeStepOneByOne) {
  std::vector<std::vector<JointOption>> widths = Widths(1, 3);
  widths.resize(30, widths[0]);
  EXPECT_GE(OptionsOnHulls({}, widths, kLossAndLatency).size(), 31U);
}

TEST(JointOptionsTest, NothingThatIsNotDominatedIsLeftOut) {
  const std::vector<std::vector<JointOption>> widths = Widths(4, 4);
  const std::vector<JointOption> options = AllNotDominated({}, widths, kLossAndLatency);
  // All 81, one by one.
  for (int code = 0; code < 81; ++code) {
    double loss = 0.0;
    double latency = 0.0;
    for (int v = 0, rest = code; v < 4; ++v, rest /= 3) {
      const auto& width = widths[static_cast<std::size_t>(v)][static_cast<std::size_t>(rest % 3)];
      loss += width.loss;
      latency += width.latency_ratio;
    }
    EXPECT_TRUE(std::any_of(options.begin(), options.end(), [&](const JointOption& option) {
      return option.loss <= loss + 1e-12 && option.latency_ratio <= latency + 1e-12;
    }));
  }
}

TEST(JointOptionsTest, SlicesKeepTheEndsAndFewInBetween) {
  const std::vector<std::vector<JointOption>> widths = Widths(300, 5);
  const std::vector<JointOption> options = OptionsOnHulls({}, widths, kLossAndLatency);
  ASSERT_GT(options.size(), 300U);
  const std::vector<JointOption> few = LowestInSlices(options, kLossAndLatency);
  EXPECT_LE(few.size(), static_cast<std::size_t>(kSlices) + 2U);
  const auto lowest = [](const std::vector<JointOption>& from, Criterion criterion) {
    double least = INFINITY;
    for (const JointOption& option : from) least = std::min(least, option.*criterion);
    return least;
  };
  for (const Criterion criterion : kLossAndLatency) {
    EXPECT_EQ(lowest(few, criterion), lowest(options, criterion));
  }
  JointOption one;
  one.widths = {4};
  EXPECT_EQ(LowestInSlices({one}, kLossAndLatency).size(), 1U);
}

}  // namespace
}  // namespace bitpilot
