#include "agent/cli/budget_outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitpilot {
namespace {

FinalRow Row(const std::string& label, double ratio, double accuracy, std::int64_t bytes) {
  FinalRow row;
  row.label = label;
  row.origin = label.starts_with("uniform") ? "reference" : "front";
  row.latency_median_ns = 1000.0 * ratio;
  row.ratio = ratio;
  row.test_accuracy = accuracy;
  row.weight_bytes = bytes;
  return row;
}

FinalEvent ThreeRows() {
  FinalEvent final;
  final.rows = {Row("uniform 8 bit", 0.1, 0.99, 10), Row("front 1", 0.5121, 0.8, 30'000),
                Row("front 2", 0.7, 0.87654, 50'000)};
  return final;
}

TEST(BudgetOutcomeTest, HasNothingToSayWithoutBudgetsOrMeasurements) {
  EXPECT_TRUE(DistancesTo({}, ThreeRows()).empty());
  FinalEvent final = ThreeRows();
  for (FinalRow& row : final.rows) row.latency_median_ns = row.ratio = std::nullopt;
  EXPECT_TRUE(DistancesTo({.max_latency_ratio = 0.4}, final).empty());
}

TEST(BudgetOutcomeTest, NamesTheNearestCandidateAndNeverAReference) {
  const auto distances = DistancesTo({.max_latency_ratio = 0.4}, ThreeRows());
  ASSERT_EQ(distances.size(), 1U);
  EXPECT_EQ(distances[0].nearest, "front 1");
  EXPECT_EQ(distances[0].alone, "front 1");
  EXPECT_EQ(DescribeMissedBudgets(distances),
            "no candidate kept the budget when it was measured again: nearest to --max-latency "
            "0.400x is front 1 with 0.513x; --max-latency 0.513x would take front 1");
}

// Front 1 is fast enough, front 2 exact enough: either budget can give.
TEST(BudgetOutcomeTest, SaysWhichSingleBudgetWouldHaveToGive) {
  const auto distances = DistancesTo({.max_latency_ratio = 0.6, .min_accuracy = 0.85}, ThreeRows());
  ASSERT_EQ(distances.size(), 2U);
  EXPECT_EQ(distances[0].alone, "front 2");
  EXPECT_EQ(distances[1].nearest, "front 2");
  EXPECT_EQ(distances[1].alone, "front 1");
  EXPECT_THAT(DescribeMissedBudgets(distances),
              testing::HasSubstr("--max-latency 0.700x would take front 2, or --min-accuracy "
                                 "0.8000 would take front 1"));
}

TEST(BudgetOutcomeTest, SaysThatMoreThanOneIsOutOfReach) {
  const auto distances =
      DistancesTo({.max_latency_ratio = 0.4, .max_weight_bytes = 20'000}, ThreeRows());
  ASSERT_EQ(distances.size(), 2U);
  EXPECT_EQ(distances[1].nearest, "front 1");
  EXPECT_THAT(DescribeMissedBudgets(distances), testing::HasSubstr("no single budget can give"));
}

}  // namespace
}  // namespace bitpilot
