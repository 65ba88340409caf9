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

TEST(DescribeTrainingTest, SaysThatAStartOfTheSearchMayBeNearerToSomeWidths) {
  const auto caveat = HasSubstr("may have trained nearer to some rows' widths");
  EXPECT_THAT(DescribeTraining(Rows(20, TrainingStart::kSearch)), caveat);
  EXPECT_THAT(DescribeTraining(Rows(20, TrainingStart::kCalibrated)), testing::Not(caveat));
}

TEST(DescribeTrainingTest, NamesTheRowWhoseTrainingDiverged) {
  FinalEvent final = Rows(20, TrainingStart::kSearch);
  final.rows[1].final_batches = 0;
  EXPECT_THAT(DescribeTraining(final), HasSubstr("The training of front 1 diverged"));
  EXPECT_THAT(DescribeTraining(final), HasSubstr("The rows are not trained alike"));
  EXPECT_THAT(DescribeTraining(final), testing::Not(HasSubstr("The rows are trained alike")));
  EXPECT_THAT(DescribeTraining(final), testing::Not(HasSubstr("no row is chosen")));
}

TEST(DescribeTrainingTest, SaysThatNoRowIsChosenWhereUniformEightBitDiverged) {
  FinalEvent final = Rows(20, TrainingStart::kTwin);
  EXPECT_THAT(DescribeTraining(final), testing::Not(HasSubstr("no row is chosen")));
  final.rows[0].final_batches = 0;
  EXPECT_THAT(DescribeTraining(final), HasSubstr("The training of uniform 8 bit diverged"));
  EXPECT_THAT(DescribeTraining(final), HasSubstr("no row is chosen"));
}

TEST(DescribeTrainingTest, DoesNotCallARowWithoutFiguresCompared) {
  FinalEvent final = Rows(20, TrainingStart::kSearch);
  final.rows[1].final_batches = 0;
  final.rows[1].mini_batches.reset();
  final.rows[1].no_figures_reason = "its weights diverged";
  EXPECT_THAT(DescribeTraining(final), testing::Not(HasSubstr("front 1")));
  EXPECT_THAT(DescribeTraining(final), HasSubstr("trained alike"));
  EXPECT_EQ(DescribeTraining(final.rows[1]), "");
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

TEST(TrainingBesideTest, CountsTheTwinAndEqualWidthsOnce) {
  FinalEvent final = Rows(20, TrainingStart::kTwin);
  final.rows[0].assignment_id = "8";
  final.rows[1].assignment_id = "mixed";
  final.rows.push_back(final.rows[1]);
  const Anchor anchor{{{0, 0.4, 0.01, 0.1}, {180, 0.3, 0.01, 0.1}}};
  const TrainingBeside beside = TrainingBesideOf(anchor, final);
  EXPECT_EQ(beside.uniform8_alone, 180);
  EXPECT_EQ(beside.final_networks, 2);
  EXPECT_EQ(beside.final_batches, 20);
  EXPECT_EQ(Describe(beside),
            "uniform 8 bit alone 180 mini-batches (or taken from an earlier search with this "
            "training); 2 networks of this table 20 mini-batches each");
}

TEST(TrainingBesideTest, SaysNothingWhereNothingTrainedOrNothingIsKnown) {
  const Anchor calibrated{{{0, 0.4, 0.01, 0.1}}};
  EXPECT_EQ(Describe(TrainingBesideOf(calibrated, Rows(0, TrainingStart::kCalibrated))), "");
  EXPECT_EQ(Describe(TrainingBesideOf({}, Rows(std::nullopt, std::nullopt))), "");
}

}  // namespace
}  // namespace bitpilot
