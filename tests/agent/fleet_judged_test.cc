// Classes whose boards work for them only after they were judged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "agent/fleet/board_conditions.h"
#include "agent/fleet/fleet_core.h"
#include "tests/agent/fleet_core_fixture.h"

namespace bitpilot {
namespace {

using fleet::BoardReport;
using fleet::BoardState;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class FleetJudgedTest : public FleetCoreTest {
 protected:
  void SetUp() override {
    fleet::FleetOptions options;
    options.judged_classes = {"pi"};
    options.retry_failed_after = milliseconds(5'000);
    Use(options);
  }
  void Judge(fleet::BoardId board, bool is_pooled, const std::string& why = "") {
    Step(fleet::BoardJudged{board, FingerprintOf(infos_.at(board)), "pi", is_pooled, why});
    Settle();
  }
  void SubmitOn(JobId id, fleet::BoardId board, const std::string& as_one_of = "") {
    fleet::JobSpec job;
    job.class_tag = as_one_of;
    job.request = MeasureRequestOf(id);
    job.only_on = board;
    Step(fleet::JobAdded{std::move(job)});
    Settle();
  }
  BoardReport ReportOf(fleet::BoardId id) const {
    for (const BoardReport& report : core_->Boards()) {
      if (report.id == id) return report;
    }
    return {};
  }
};

TEST_F(FleetJudgedTest, ABoardRunsOnlyWhatAsksForItUntilItIsPooled) {
  AddBoard(1);
  EXPECT_THAT(ReportOf(1).waits_for, ElementsAre("pi"));
  EXPECT_THAT(ReportOf(1).classes, IsEmpty());
  Submit(1);
  SubmitOn(2, 1);
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(2));
  EXPECT_FALSE(ended_.contains(1));
  EXPECT_EQ(states_[1], BoardState::kReady) << "its lease is kept";

  Judge(1, true);
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_THAT(ReportOf(1).waits_for, IsEmpty());
  EXPECT_THAT(ReportOf(1).classes, ElementsAre("pi"));
}

// Boards are judged by the kernels that they will run: those of the first one that was measured.
TEST_F(FleetJudgedTest, ABoardThatWaitsRunsByTheKernelsOfItsClass) {
  const std::string heading = "bitpilot kernel choices 2\nkernels\tbuild\n";
  boards_[1].kernel_choices = heading + "core\tlayer\tfast\t0.2\t1\n";
  boards_[2].kernel_choices = heading + "core\tlayer\tother\t0.2\t1\n";
  AddBoard(1);
  AddBoard(2);
  SubmitOn(1, 1);
  Pass(milliseconds(3'000));
  ASSERT_TRUE(HasNumbersOf(1));
  SubmitOn(2, 2);
  Pass(milliseconds(3'000));
  ASSERT_TRUE(HasNumbersOf(2));
  EXPECT_EQ(boards_[2].last_kernel_choices, boards_[1].kernel_choices);
  Judge(1, true);
  Judge(2, false, "its ratios scatter by 4.3 %");
  Submit(3);
  Pass(milliseconds(3'000));
  EXPECT_EQ(boards_[1].last_kernel_choices, "") << "it is alone, and chooses anew";
}

// Who asks seldom would take a moment's absence for one since they asked last.
TEST_F(FleetJudgedTest, SaysHowLongABoardHasBeenAway) {
  AddBoard(1);
  Pass(milliseconds(60'000));
  EXPECT_EQ(ReportOf(1).away_for, milliseconds(0));
  Cut(1);
  const Instant cut_at = now_;
  Pass(milliseconds(5'000));
  EXPECT_NE(ReportOf(1).state, BoardState::kReady);
  EXPECT_EQ(core_->Boards(now_ + milliseconds(100)).front().away_for,
            now_ + milliseconds(100) - cut_at);
  Mend(1);
  Pass(milliseconds(5'000));
  EXPECT_EQ(ReportOf(1).away_for, milliseconds(0));
}

TEST_F(FleetJudgedTest, WhatAsksForABoardAsOneOfItsClassWaitsUntilItIsPooled) {
  AddBoard(1);
  SubmitOn(1, 1, "pi");
  Pass(milliseconds(5'000));
  EXPECT_FALSE(ended_.contains(1));
  EXPECT_TRUE(asked_[1].empty());
  Judge(1, true);
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(1));

  boards_[1].eta_ms = 10'000;
  SubmitOn(2, 1, "pi");
  ASSERT_EQ(asked_[1].size(), 2U);
  boards_[1].name = "another machine";
  boards_[1].Reboot();
  Mend(1);
  Pass(milliseconds(20'000));
  EXPECT_EQ(asked_[1].size(), 2U) << "the machine of that name now is not judged";
  EXPECT_FALSE(ended_.contains(2));
}

// What was decided of a board may arrive when another machine answers for it.
TEST_F(FleetJudgedTest, AJudgementOfWhatABoardWasIsNotThatOfWhatItIs) {
  AddBoard(1);
  const std::string before = FingerprintOf(infos_.at(1));
  boards_[1].name = "another machine";
  boards_[1].Reboot();
  Mend(1);
  Pass(milliseconds(20'000));
  ASSERT_NE(FingerprintOf(infos_.at(1)), before);
  Submit(1);
  Step(fleet::BoardJudged{1, before, "pi", /*is_pooled=*/true, ""});
  Pass(milliseconds(3'000));
  EXPECT_THAT(ReportOf(1).waits_for, ElementsAre("pi"));
  EXPECT_FALSE(ended_.contains(1));
  Judge(1, true);
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(1));
}

TEST_F(FleetJudgedTest, ABoardThatIsJudgedOutIsGivenBackAndWorksAgainWhenItIsPooled) {
  AddBoard(1);
  AddBoard(2);
  Judge(1, true);
  Judge(2, false, "its ratios scatter by 4.3 %");
  EXPECT_EQ(states_[2], BoardState::kLeftOut);
  EXPECT_EQ(ReportOf(2).why, "its ratios scatter by 4.3 %");
  for (JobId id = 1; id <= 4; ++id) Submit(id);
  Pass(milliseconds(5'000));
  for (JobId id = 1; id <= 4; ++id) EXPECT_EQ(BoardOf(id), 1U);

  Judge(2, true);
  Pass(milliseconds(5'000));
  EXPECT_EQ(states_[2], BoardState::kReady);
  for (JobId id = 11; id <= 14; ++id) Submit(id);
  Pass(milliseconds(5'000));
  EXPECT_FALSE(asked_[2].empty());
}

TEST_F(FleetJudgedTest, AnotherMachineOfTheNameIsJudgedAnewTheSameOneIsNot) {
  AddBoard(1);
  Judge(1, true);
  Cut(1);
  Pass(milliseconds(2'000));
  Mend(1);
  Pass(milliseconds(8'000));
  EXPECT_THAT(ReportOf(1).classes, ElementsAre("pi"));

  Cut(1);
  Pass(milliseconds(2'000));
  boards_[1].name = "another machine";
  boards_[1].Reboot();  // it knows no session of ours
  Mend(1);
  Pass(milliseconds(20'000));
  EXPECT_EQ(states_[1], BoardState::kReady);
  EXPECT_THAT(ReportOf(1).waits_for, ElementsAre("pi"));
  EXPECT_THAT(ReportOf(1).classes, IsEmpty());
}

// Boards that are left out are looked at again every minute.
TEST_F(FleetJudgedTest, ABoardThatIsJudgedOutStaysOutUntilItComesBackDifferent) {
  AddBoard(1);
  AddBoard(2);
  Judge(1, true);
  Judge(2, false, "its ratios scatter by 4.3 %");
  Pass(milliseconds(300'000));
  EXPECT_EQ(states_[2], BoardState::kLeftOut);
  EXPECT_THAT(ReportOf(2).waits_for, IsEmpty());
  EXPECT_EQ(ReportOf(2).left_out_of.at("pi"), "its ratios scatter by 4.3 %");
  EXPECT_FALSE(boards_[2].is_leased(now_));
  EXPECT_EQ(CountNotices("is like the other boards"), 0U);

  boards_[2].name = "another machine";
  Pass(milliseconds(65'000));
  EXPECT_EQ(states_[2], BoardState::kReady);
  EXPECT_THAT(ReportOf(2).waits_for, ElementsAre("pi"));
  EXPECT_THAT(ReportOf(2).classes, IsEmpty());
}

TEST_F(FleetJudgedTest, ABoardThatComesBackDifferentLosesTheJobOfItsClass) {
  AddBoard(1);
  Judge(1, true);
  boards_[1].eta_ms = 10'000;
  Submit(1);
  ASSERT_EQ(asked_[1].size(), 1U);
  boards_[1].name = "another machine";
  boards_[1].Reboot();
  Mend(1);
  Pass(milliseconds(3'000));
  EXPECT_EQ(asked_[1].size(), 1U) << "it is not judged yet";
  EXPECT_FALSE(ended_.contains(1));

  Judge(1, true);
  Pass(milliseconds(12'000));
  EXPECT_TRUE(HasNumbersOf(1));
}

TEST_F(FleetJudgedTest, ABoardUnlikeItsClassIsLeftOutWhateverItsJudgement) {
  AddBoard(1);
  boards_[2].isa = "scalar";
  AddBoard(2);
  Judge(2, true);
  EXPECT_EQ(states_[2], BoardState::kLeftOut);
  EXPECT_THAT(ReportOf(2).classes, IsEmpty());
}

TEST_F(FleetJudgedTest, OtherClassesTakeTheirBoardsAsTheyCome) {
  AddBoard(1, "x86");
  Submit(1, "x86");
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(1));
}

}  // namespace
}  // namespace bitpilot
