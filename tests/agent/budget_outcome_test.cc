#include "agent/cli/budget_outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/cli/final_table.h"

namespace bitpilot {
namespace {

FinalRow Row(const std::string& label, double ratio, double accuracy, std::int64_t bytes) {
  FinalRow row;
  row.label = label;
  row.role = label.starts_with("uniform") ? FinalistRole::kUniform8 : FinalistRole::kFront;
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

TEST(BudgetOutcomeTest, CallsNoBudgetMetThatNobodyGave) {
  FinalEvent final = ThreeRows();
  for (FinalRow& row : final.rows) row.budget_met = true;
  const auto printed = [&](const Budgets& budgets) {
    testing::internal::CaptureStdout();
    PrintFinalTable(final, HasBudget(budgets));
    return testing::internal::GetCapturedStdout();
  };
  EXPECT_THAT(printed({}), testing::Not(testing::HasSubstr(" met\n")));
  EXPECT_THAT(printed({}), testing::HasSubstr(" none given\n"));
  EXPECT_THAT(printed({.max_weight_bytes = 1}), testing::HasSubstr(" met\n"));
}

TEST(BudgetOutcomeTest, NamesTheNearestCandidateAndNeverAReference) {
  const auto distances = DistancesTo({.max_latency_ratio = 0.4}, ThreeRows());
  ASSERT_EQ(distances.size(), 1U);
  EXPECT_EQ(distances[0].nearest, "front 1");
  EXPECT_EQ(distances[0].alone, "front 1");
  EXPECT_EQ(DescribeMissedBudgets(distances),
            "no candidate kept the budget when it was measured again: nearest to --max-latency "
            "0.4x is front 1 with 0.5121x; --max-latency 0.513x would take front 1");
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

TEST(BudgetOutcomeTest, SaysTheLimitAsItWasGiven) {
  FinalEvent final = ThreeRows();
  final.rows.pop_back();
  final.rows[1].ratio = 0.70062;
  const auto described = [&](const Budgets& budgets) {
    return DescribeMissedBudgets(DistancesTo(budgets, final));
  };
  EXPECT_THAT(described({.max_latency_ratio = 0.7005}),
              testing::HasSubstr("--max-latency 0.7005x is front 1 with 0.70062x; --max-latency "
                                 "0.701x would take front 1"));
  EXPECT_THAT(described({.min_accuracy = 0.912345}),
              testing::HasSubstr("--min-accuracy 0.912345 "));
  EXPECT_THAT(described({.max_weight_bytes = 12'345}), testing::HasSubstr("--max-size 12345 is "));
}

// The comparison has latencies, but its energy phase failed.
TEST(BudgetOutcomeTest, SaysWhyABudgetWasNotMeasured) {
  FinalEvent final = ThreeRows();
  for (FinalRow& row : final.rows) row.no_energy_reason = "the meter has ended";
  const auto distances = DistancesTo({.max_energy_ratio = 0.7}, final);
  ASSERT_EQ(distances.size(), 1U);
  EXPECT_TRUE(IsAnyUnknown(distances));
  EXPECT_EQ(distances[0].unknown, "energy was not measured: the meter has ended");
  EXPECT_EQ(distances[0].nearest, "");
  EXPECT_EQ(DescribeMissedBudgets(distances),
            "no candidate can be judged by --max-energy 0.7x: energy was not measured: the meter "
            "has ended");
  const auto both = DistancesTo({.max_latency_ratio = 0.6, .max_energy_ratio = 0.7}, final);
  ASSERT_EQ(both.size(), 2U);
  EXPECT_EQ(both[0].alone, "") << "nobody knows whether it keeps the other budget";
  EXPECT_THAT(
      DescribeMissedBudgets(both),
      testing::HasSubstr("has ended; nearest to --max-latency 0.6x is front 1 with 0.5121x"));
}

// The reason may be told by uniform 8 bit alone, without whose energy there are no ratios; a
// candidate that has one is judged by it.
TEST(BudgetOutcomeTest, KnowsABudgetThatOneCandidateWasMeasuredFor) {
  FinalEvent final = ThreeRows();
  final.rows[0].no_energy_reason = "its windows differ";
  EXPECT_EQ(DistancesTo({.max_energy_ratio = 0.7}, final)[0].unknown,
            "energy was not measured: its windows differ");
  final.rows[2].energy_ratio = EnergyRatio{0.8, 0.01};
  const auto distances = DistancesTo({.max_energy_ratio = 0.7}, final);
  EXPECT_FALSE(IsAnyUnknown(distances));
  EXPECT_EQ(distances[0].nearest, "front 2");
}

// Whoever is best on the test images must not win by that.
TEST(BudgetOutcomeTest, JudgesAccuracyByValidationImages) {
  FinalEvent final = ThreeRows();
  final.rows[1].validation_accuracy = 0.86;
  final.rows[2].validation_accuracy = 0.84;
  const auto distances = DistancesTo({.min_accuracy = 0.87}, final);
  ASSERT_EQ(distances.size(), 1U);
  EXPECT_EQ(distances[0].nearest, "front 1");
  EXPECT_EQ(distances[0].nearest_value, 0.86);
  EXPECT_EQ(distances[0].nearest_test_accuracy, 0.8);
  EXPECT_THAT(DescribeMissedBudgets(distances),
              testing::HasSubstr("front 1 with 0.86 on validation images (0.8 on test images)"));
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
