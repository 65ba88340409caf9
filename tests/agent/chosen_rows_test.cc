#include "agent/study/chosen_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "agent/study/comparison_parts.h"

namespace bitpilot {
namespace {

FinalRow Row(FinalistRole role, int number, double validation_accuracy, double test_accuracy,
             double ratio) {
  FinalRow row;
  row.role = role;
  row.label = LabelOf(role, number);
  row.validation_accuracy = validation_accuracy;
  row.test_accuracy = test_accuracy;
  row.paired_difference = test_accuracy - 0.87;
  row.ratio = ratio;
  return row;
}

// On the test images the order of the front is the other way round.
FinalEvent Sample() {
  FinalEvent final;
  final.rows = {Row(FinalistRole::kUniform8, 0, 0.868, 0.87, 1.0),
                Row(FinalistRole::kUniform4, 0, 0.867, 0.87, 0.4),
                Row(FinalistRole::kIntegerProgram, 0, 0.868, 0.87, 0.3),
                Row(FinalistRole::kFront, 1, 0.820, 0.88, 0.5),
                Row(FinalistRole::kFront, 2, 0.838, 0.86, 0.6),
                Row(FinalistRole::kFront, 3, 0.858, 0.85, 0.7),
                Row(FinalistRole::kFront, 4, 0.866, 0.84, 0.8),
                Row(FinalistRole::kFront, 5, 0.866, 0.83, 0.9)};
  return final;
}

TEST(ChosenRowsTest, TakesTheFastestWithinTheLossOnValidation) {
  const FinalEvent final = Sample();
  // 0.868 - 0.858 and 0.868 - 0.838 are 1 and 3 points, whatever floating point makes of them.
  ASSERT_NE(FastestWithin(final, 1), nullptr);
  EXPECT_EQ(FastestWithin(final, 1)->label, "front 3");
  EXPECT_EQ(FastestWithin(final, 3)->label, "front 2");
  EXPECT_EQ(FastestWithin(final, 10)->label, "front 1");
  EXPECT_EQ(FastestWithin(final, 0.1), nullptr);
}

TEST(ComparisonPartsTest, AreNamedIfThereAreSeveral) {
  FinalEvent final = Sample();
  EXPECT_EQ(DescribeParts(final), "");
  final.rows.resize(6);
  final.rows[4].part = final.rows[5].part = 2;
  EXPECT_EQ(DescribeParts(final),
            "the board took the comparison in 2 parts, uniform 8 bit in each; nothing is said of "
            "who is faster in different parts: part 1: uniform 4 bit, ilp start, front 1; part 2: "
            "front 2, front 3");
}

TEST(ComparisonPartsTest, HoldNoRowThatWasNotCompared) {
  FinalEvent final = Sample();
  final.rows.resize(6);
  for (std::size_t i = 1; i < final.rows.size(); ++i) final.rows[i].part = 2;
  final.rows[1].part = 1;  // as a row that was never measured has it
  final.rows[1].no_figures_reason = "its weights diverged";
  EXPECT_EQ(DescribeParts(final), "");
  final.rows[5].part = 3;
  EXPECT_EQ(DescribeParts(final),
            "the board took the comparison in 2 parts, uniform 8 bit in each; nothing is said of "
            "who is faster in different parts: part 2: ilp start, front 1, front 2; part 3: front "
            "3");
}

// Old studies were judged by what they have.
TEST(ChosenRowsTest, BudgetsAreAboutValidationImages) {
  FinalRow row = Row(FinalistRole::kFront, 1, 0.82, 0.88, 0.5);
  EXPECT_EQ(BudgetedAccuracy(row), 0.82);
  row.validation_accuracy.reset();
  EXPECT_EQ(BudgetedAccuracy(row), 0.88);
}

TEST(ChosenRowsTest, TakesTheMostAccurateOnValidationAndOfEqualsTheFaster) {
  const FinalEvent final = Sample();
  ASSERT_NE(MostAccurateOnValidation(final), nullptr);
  EXPECT_EQ(MostAccurateOnValidation(final)->label, "front 4");
}

std::vector<std::string> Labels(const std::vector<const FinalRow*>& rows) {
  std::vector<std::string> labels;
  for (const FinalRow* row : rows) labels.push_back(row->label);
  return labels;
}

// What is chosen is what was found; who looks for the best must be told where nobody had to search.
TEST(ChosenRowsTest, NamesWhatWasNotFoundAndIsBetterByTheSameRule) {
  using Names = std::vector<std::string>;
  FinalEvent final = Sample();
  EXPECT_EQ(Labels(NotFromSearchButFaster(final, 1)), (Names{"uniform 4 bit", "ilp start"}));
  EXPECT_EQ(Labels(NotFromSearchButMoreAccurate(final)),
            (Names{"uniform 8 bit", "uniform 4 bit", "ilp start"}));
  EXPECT_EQ(DescribeChoice(final),
            "fastest within 1 point of 8 bit: front 3 (at a lower ratio, and not from the search: "
            "uniform 4 "
            "bit, ilp start); within 3 points: front 2 (at a lower ratio, and not from the search: "
            "uniform 4 "
            "bit, ilp start); most accurate that was found: front 4 (more accurate, or as accurate "
            "at a lower ratio, and not from the search: "
            "uniform 8 bit, uniform 4 bit, ilp start)");
  // By validation images alone: on the test images those three are before every member but two.
  for (std::size_t i = 0; i < 3; ++i) final.rows[i].validation_accuracy = 0.86;
  final.rows[1].ratio = final.rows[2].ratio = 0.9;
  EXPECT_TRUE(NotFromSearchButMoreAccurate(final).empty());
  EXPECT_TRUE(NotFromSearchButFaster(final, 1).empty());
  EXPECT_EQ(
      DescribeChoice(final),
      "fastest within 1 point of 8 bit: front 3; within 3 points: front 2; most accurate that "
      "was found: front 4");
  // Equal is not more at a higher ratio, and who has no figures is nobody's better.
  final.rows[0].validation_accuracy = 0.866;
  final.rows[2].validation_accuracy = 0.9;
  final.rows[2].ratio.reset();
  EXPECT_TRUE(NotFromSearchButMoreAccurate(final).empty());
  EXPECT_EQ(DescribeChoice(FinalEvent()), "");
}

// The same network, measured twice: noise alone would put one before the other.
TEST(ChosenRowsTest, ARowWithWidthsOfTheFrontWasFound) {
  FinalEvent final = Sample();
  final.rows[2].assignment_id = final.rows[4].assignment_id = "same";
  EXPECT_EQ(Labels(NotFromSearchButFaster(final, 1)), std::vector<std::string>{"uniform 4 bit"});
}

TEST(ChosenRowsTest, ARowWithWidthsOfAMemberWithoutFiguresWasNot) {
  FinalEvent final = Sample();
  final.rows[2].assignment_id = final.rows[4].assignment_id = "same";
  final.rows[4].ratio.reset();
  EXPECT_EQ(Labels(NotFromSearchButFaster(final, 1)),
            (std::vector<std::string>{"uniform 4 bit", "ilp start"}));
}

// Final training and final latencies may put it before all of the joint front. It is from the search.
TEST(ChosenRowsTest, AMemberOfOneClassesFrontWasFound) {
  FinalEvent final = Sample();
  final.rows.erase(final.rows.begin() + 1, final.rows.begin() + 3);  // but for 8 bit no references
  FinalRow own = Row(FinalistRole::kClassFront, 1, 0.870, 0.86, 0.6);
  own.assignment_id = "own";
  final.rows.push_back(own);
  EXPECT_EQ(FastestWithin(final, 1)->label, "class front 1");
  EXPECT_EQ(MostAccurateOnValidation(final)->label, "class front 1");
  EXPECT_THAT(NotFromSearchButFaster(final, 1), testing::IsEmpty());
  EXPECT_THAT(NotFromSearchButMoreAccurate(final), testing::IsEmpty());
  EXPECT_THAT(DescribeChoice(final), testing::Not(testing::HasSubstr("not from the search")));
  // The program's answer has its widths.
  final.rows.push_back(Row(FinalistRole::kIntegerProgram, 0, 0.870, 0.86, 0.5));
  EXPECT_EQ(Labels(NotFromSearchButFaster(final, 1)), std::vector<std::string>{"ilp start"});
  final.rows.back().assignment_id = "own";
  EXPECT_THAT(NotFromSearchButFaster(final, 1), testing::IsEmpty());
}

TEST(ChosenRowsTest, OnePercentIsNoLowerRatio) {
  FinalEvent final = Sample();
  final.rows[1].ratio = 0.7 * 0.992;
  final.rows[2].ratio = 0.7 * 0.988;
  EXPECT_EQ(Labels(NotFromSearchButFaster(final, 1)), std::vector<std::string>{"ilp start"});
}

// As it decides between members of the front: "front 4" has 0.866 at a ratio of 0.8.
TEST(ChosenRowsTest, OfEqualAccuracyTheFasterIsBefore) {
  FinalEvent final = Sample();
  for (std::size_t i = 0; i < 3; ++i) final.rows[i].validation_accuracy = 0.866;
  final.rows[1].ratio = 0.8 * 0.992;
  final.rows[2].ratio = 0.8 * 0.988;
  EXPECT_EQ(MostAccurateOnValidation(final)->label, "front 4");
  EXPECT_EQ(Labels(NotFromSearchButMoreAccurate(final)), std::vector<std::string>{"ilp start"});
}

// Who looks for the fastest network must not read that there is none.
TEST(ChosenRowsTest, NamesWhatIsBeforeEightBitWhereNobodyWasFound) {
  FinalEvent final = Sample();
  final.rows[2].ratio = 1.1;
  final.rows.resize(5);  // front 1 and front 2: 3 points and more below
  EXPECT_EQ(FastestWithin(final, 1), nullptr);
  EXPECT_EQ(Labels(NotFromSearchButFaster(final, 1)), std::vector<std::string>{"uniform 4 bit"});
  EXPECT_THAT(DescribeChoice(final),
              testing::StartsWith("fastest within 1 point of 8 bit: none found (faster than 8 "
                                  "bit, and not from the search: uniform 4 bit); within 3 points: "
                                  "front 2 (at a lower ratio, and not from the search: uniform 4 "
                                  "bit); most accurate that was found: front 2 ("));
  final.rows.resize(3);
  final.rows[1].validation_accuracy = 0.869;
  EXPECT_EQ(Labels(NotFromSearchButMoreAccurate(final)), std::vector<std::string>{"uniform 4 bit"});
  EXPECT_THAT(DescribeChoice(final),
              testing::EndsWith("most accurate: none found (before 8 bit, and "
                                "not from the search: uniform 4 bit)"));
  for (FinalRow& row : final.rows) row.validation_accuracy = 0.868;
  for (FinalRow& row : final.rows) row.ratio = 1.0;
  EXPECT_EQ(DescribeChoice(final), "") << "nobody at all";
}

TEST(ChosenRowsTest, ChoosesNobodyByTestAccuracyWhereValidationIsUnknown) {
  FinalEvent final = Sample();
  for (FinalRow& row : final.rows) row.validation_accuracy.reset();
  EXPECT_EQ(FastestWithin(final, 10), nullptr);
  EXPECT_EQ(MostAccurateOnValidation(final), nullptr);
  EXPECT_EQ(FastestWithin(FinalEvent(), 10), nullptr);
}

// Its accuracy is that of a network that trained less than the others.
TEST(ChosenRowsTest, ChoosesNobodyWhereTheTrainingOfUniformEightBitDiverged) {
  FinalEvent final = Sample();
  for (FinalRow& row : final.rows) row.final_batches = 20;
  EXPECT_TRUE(IsReferenceTrained(final));
  EXPECT_EQ(FastestWithin(final, 1)->label, "front 3");
  final.rows[0].final_batches = 0;
  EXPECT_FALSE(IsReferenceTrained(final));
  EXPECT_EQ(FastestWithin(final, 1), nullptr);
  EXPECT_EQ(MostAccurateOnValidation(final), nullptr);
  for (FinalRow& row : final.rows) row.final_batches = 0;  // --final-batches 0: nobody trained
  EXPECT_TRUE(IsReferenceTrained(final));
  EXPECT_EQ(FastestWithin(final, 1)->label, "front 3");
}

TEST(ChosenRowsTest, PassesOverCandidatesThatWereNotMeasured) {
  FinalEvent final = Sample();
  final.rows[5].ratio.reset();
  EXPECT_EQ(FastestWithin(final, 1)->label, "front 4");
}

}  // namespace
}  // namespace bitpilot
