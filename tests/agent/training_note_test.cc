#include "agent/study/training_note.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bitpilot {
namespace {

using testing::HasSubstr;

FinalEvent Rows(std::optional<int> final_batches, std::optional<TrainingStart> start) {
  FinalEvent final;
  for (int i = 0; i < 2; ++i) {
    FinalRow row;
    row.label = i == 0 ? "uniform 8 bit" : "front 1";
    row.mini_batches = 100;
    row.final_batches = final_batches;
    row.start = start;
    final.rows.push_back(row);
  }
  return final;
}

TEST(DescribeTrainingTest, SaysThatRowsAreTrainedAlikeWhereTheyAre) {
  EXPECT_THAT(DescribeTraining(Rows(20, TrainingStart::kTwin)),
              HasSubstr("trained alike: after the search each took 20 mini-batches"));
  EXPECT_THAT(DescribeTraining(Rows(20, TrainingStart::kCalibrated)),
              HasSubstr("from the float weights, calibrated."));
}

TEST(DescribeTrainingTest, NamesTheRowWhoseTrainingDiverged) {
  FinalEvent final = Rows(20, TrainingStart::kSearch);
  final.rows[1].final_batches = 0;
  EXPECT_THAT(DescribeTraining(final), HasSubstr("The training of front 1 diverged"));
}

TEST(DescribeTrainingTest, SaysThatRowsAreNotTrainedAlikeWhereTheyAreNot) {
  EXPECT_THAT(DescribeTraining(Rows(0, TrainingStart::kSearch)), HasSubstr("not trained alike"));
  EXPECT_THAT(DescribeTraining(Rows(std::nullopt, std::nullopt)),
              HasSubstr("not trained alike: candidates share one set of weights"));
}

TEST(DescribeTrainingTest, SaysNothingWhereNothingTrained) {
  FinalEvent final = Rows(0, TrainingStart::kCalibrated);
  for (FinalRow& row : final.rows) row.mini_batches = 0;
  EXPECT_EQ(DescribeTraining(final), "");
  EXPECT_EQ(DescribeTraining(final.rows[0]), "calibrated only");
}

}  // namespace
}  // namespace bitpilot
