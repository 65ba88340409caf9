// The final table of several classes, from hand-made rows.
#include "agent/results/joint_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitpilot {
namespace {

using Kind = ClassObjective::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

FinalRow Row(const char* on, double ratio, Speed speed, std::vector<int> as_fast_as) {
  FinalRow row;
  row.on = on;
  row.board = std::string(on) + "-board";
  row.test_accuracy = 0.8;
  row.ratio = ratio;
  row.ratio_low = ratio - 0.01;
  row.ratio_high = ratio + 0.01;
  row.latency_median_ns = 1e5 * ratio;
  row.speed = speed;
  row.speed_p_value = ratio / 100;
  row.as_fast_as = std::move(as_fast_as);
  row.measure_status = "OK";
  return row;
}

bool AlwaysKept(const FinalRow&) { return true; }

std::vector<ClassFinal> TwoClasses() {
  ClassFinal a{"a", {Row("a", 0.5, Speed::kFaster, {1}), Row("a", 0.9, Speed::kFaster, {0})}, {}};
  ClassFinal b{"b", {Row("b", 0.7, Speed::kFaster, {1}), Row("b", 0.8, Speed::kSlower, {})}, {}};
  b.rows[1].budget_met = false;
  return {a, b};
}

TEST(JointRowsTest, TheWorstIsTheSlowestClassWithItsBoard) {
  const std::vector<FinalRow> rows = JointRows({Kind::kWorst}, TwoClasses(), AlwaysKept);
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].ratio, 0.7);
  EXPECT_EQ(rows[0].board, "b-board");
  EXPECT_EQ(rows[1].ratio, 0.9);
  EXPECT_EQ(rows[1].board, "a-board");
  EXPECT_TRUE(rows[0].budget_met);
  EXPECT_FALSE(rows[1].budget_met) << "it is missed on one class";
}

TEST(JointRowsTest, IsFasterWhereEveryClassSaysSo) {
  const std::vector<FinalRow> rows = JointRows({Kind::kWorst}, TwoClasses(), AlwaysKept);
  EXPECT_EQ(rows[0].speed, Speed::kFaster);
  EXPECT_DOUBLE_EQ(rows[0].speed_p_value, 0.007);
  EXPECT_EQ(rows[1].speed, Speed::kSlower);
  EXPECT_DOUBLE_EQ(rows[1].speed_p_value, 0.016) << "of the class that says so, of two";
  EXPECT_THAT(rows[0].as_fast_as, ElementsAre(1)) << "no class tells them apart";
  EXPECT_THAT(rows[1].as_fast_as, IsEmpty());
}

// Whatever the other class cannot tell.
TEST(JointRowsTest, TheChanceOfAWordIsThatOfTheClassesThatSayIt) {
  std::vector<ClassFinal> classes = TwoClasses();
  const auto judged = [&](Speed a, double p_of_a, Speed b, double p_of_b) {
    classes[0].rows[0].speed = a;
    classes[0].rows[0].speed_p_value = p_of_a;
    classes[1].rows[0].speed = b;
    classes[1].rows[0].speed_p_value = p_of_b;
    return JointRows({Kind::kWorst}, classes, AlwaysKept)[0];
  };
  const FinalRow slower = judged(Speed::kNoDifference, 0.4, Speed::kSlower, 1e-9);
  EXPECT_EQ(slower.speed, Speed::kSlower);
  EXPECT_DOUBLE_EQ(slower.speed_p_value, 2e-9);
  const FinalRow mixed = judged(Speed::kFaster, 1e-12, Speed::kSlower, 1e-6);
  EXPECT_EQ(mixed.speed, Speed::kSlower);
  EXPECT_DOUBLE_EQ(mixed.speed_p_value, 2e-6);
  const FinalRow open = judged(Speed::kFaster, 1e-9, Speed::kNoDifference, 0.4);
  EXPECT_EQ(open.speed, Speed::kNoDifference);
  EXPECT_DOUBLE_EQ(open.speed_p_value, 0.4);
}

// A row of .7x may be .3x on one class and 1.1x on the other.
TEST(JointRowsTest, OfAMeanNobodySaysThatItIsFasterOrSlower) {
  for (const FinalRow& row : JointRows({Kind::kMean}, TwoClasses(), AlwaysKept)) {
    EXPECT_FALSE(row.speed);
    EXPECT_EQ(row.speed_p_value, 1.0);
  }
  EXPECT_THAT(JointRows({Kind::kMean}, TwoClasses(), AlwaysKept)[0].as_fast_as, ElementsAre(1));
}

TEST(JointRowsTest, TheMeanHasNoBoard) {
  const std::vector<FinalRow> rows = JointRows({Kind::kMean}, TwoClasses(), AlwaysKept);
  EXPECT_NEAR(*rows[0].ratio, 0.6, 1e-12);
  EXPECT_NEAR(rows[0].ratio_low, 0.59, 1e-12);
  EXPECT_EQ(rows[0].board, "");
  EXPECT_EQ(rows[0].test_accuracy, 0.8);
}

TEST(JointRowsTest, TheMeanKeepsBudgetsByItsOwnFigures) {
  const std::vector<FinalRow> rows =
      JointRows({Kind::kMean}, TwoClasses(), [](const FinalRow& row) { return *row.ratio > 0.8; });
  EXPECT_FALSE(rows[0].budget_met) << "though it is met on each class";
  EXPECT_TRUE(rows[1].budget_met) << "though it is missed on one";
}

TEST(JointRowsTest, OfOneClassAreItsOwn) {
  const std::vector<FinalRow> rows = JointRows({Kind::kOne, "a"}, TwoClasses(), AlwaysKept);
  EXPECT_EQ(rows[0].ratio, 0.5);
  EXPECT_EQ(rows[1].board, "a-board");
}

TEST(JointRowsTest, WhatAClassDidNotMeasureHasNoRatio) {
  std::vector<ClassFinal> classes = TwoClasses();
  classes[0].rows[0].ratio.reset();
  classes[0].rows[0].measure_status = "CRASH";
  for (const Kind kind : {Kind::kWorst, Kind::kMean}) {
    const FinalRow row = JointRows({kind}, classes, AlwaysKept)[0];
    EXPECT_FALSE(row.ratio);
    EXPECT_FALSE(row.latency_median_ns);
    EXPECT_FALSE(row.budget_met);
    EXPECT_EQ(row.measure_status, "CRASH");
  }
}

}  // namespace
}  // namespace bitpilot
