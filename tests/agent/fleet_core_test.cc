// Jobs over boards: who gets what, and what becomes of a job whose board does not answer.
#include "agent/fleet/fleet_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "tests/agent/fleet_core_fixture.h"

namespace bitpilot {
namespace {

using fleet::BoardState;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(FleetCoreTest, SpreadsJobsOverTheBoardsOfTheirClass) {
  for (const fleet::BoardId id : {1, 2, 3}) AddBoard(id);
  AddBoard(4, "x86");
  for (JobId id = 1; id <= 9; ++id) Submit(id);
  Pass(milliseconds(3'000));
  ASSERT_EQ(ended_.size(), 9U);
  std::map<fleet::BoardId, int> jobs;
  for (const auto& [id, ended] : ended_) {
    EXPECT_TRUE(HasNumbersOf(id));
    ++jobs[*ended.board];
  }
  EXPECT_THAT(jobs, testing::UnorderedElementsAre(testing::Pair(1, 3), testing::Pair(2, 3),
                                                  testing::Pair(3, 3)));
  Submit(10, "x86");
  Pass(milliseconds(1'000));
  EXPECT_EQ(BoardOf(10), 4U);
}

TEST_F(FleetCoreTest, GivesASlowBoardFewerJobsAndNotNone) {
  AddBoard(1);
  AddBoard(2);
  boards_[2].eta_ms = 4'900;
  for (JobId id = 1; id <= 8; ++id) Submit(id);
  Pass(milliseconds(5'500));
  ASSERT_EQ(ended_.size(), 8U);
  int slow = 0;
  for (const auto& [id, ended] : ended_) slow += *ended.board == 2 ? 1 : 0;
  EXPECT_EQ(slow, 1);
}

TEST_F(FleetCoreTest, TakesABoardThatJoinsWhileJobsWait) {
  Submit(1);
  Pass(milliseconds(10'000));
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(CountNotices("class 'pi' has no board that works now"), 1U);
  AddBoard(1);
  Pass(milliseconds(1'000));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(CountNotices("class 'pi' has a board again"), 1U);
}

TEST_F(FleetCoreTest, LeavesOutABoardUnlikeItsClassAndNamesIt) {
  AddBoard(1);
  boards_[2].isa = "scalar";
  AddBoard(2);
  EXPECT_EQ(states_[2], BoardState::kLeftOut);
  ASSERT_EQ(CountNotices("'b2'"), 1U);
  EXPECT_THAT(notices_.back(), HasSubstr("instruction set is scalar, was avx2"));
  for (JobId id = 1; id <= 4; ++id) Submit(id);
  Pass(milliseconds(4'000));
  for (JobId id = 1; id <= 4; ++id) EXPECT_EQ(BoardOf(id), 1U);
}

TEST_F(FleetCoreTest, GoesOnWithTheClassThatAStudyBeganWith) {
  fleet::FleetOptions options;
  options.expected["pi"].name = "another one";
  options.expected["pi"].isa = "avx2";
  options.expected["pi"].backend = "kernels";
  Use(options);
  boards_[1].isa = "scalar";
  AddBoard(1);
  AddBoard(2);
  EXPECT_EQ(states_[1], BoardState::kLeftOut);
  EXPECT_EQ(states_[2], BoardState::kReady);
}

TEST_F(FleetCoreTest, RunsTheHigherPriorityFirstAndStreamsInTurn) {
  AddBoard(1);
  Submit(1);  // runs
  Submit(2, "pi", 0, "a");
  Submit(3, "pi", 0, "a");
  Submit(4, "pi", 0, "b");
  Submit(5, "pi", 1, "c");
  Pass(milliseconds(5'000));
  EXPECT_THAT(order_, ElementsAre(1, 5, 2, 4, 3));
}

TEST_F(FleetCoreTest, GoesOnWithAJobWhenItsBoardComesBackSoon) {
  AddBoard(1);
  AddBoard(2);
  Submit(1);
  Cut(1);
  Pass(milliseconds(15'000));
  EXPECT_TRUE(ended_.empty());
  Mend(1);
  Pass(milliseconds(6'000));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 1U);
  EXPECT_TRUE(attempts_.empty());
  EXPECT_TRUE(asked_[2].empty());
}

TEST_F(FleetCoreTest, GivesTheJobOfALostBoardToAnotherOneUnderANewId) {
  AddBoard(1);
  AddBoard(2);
  Submit(1);
  Cut(1);
  Pass(milliseconds(25'000));
  ASSERT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 2U);
  ASSERT_EQ(attempts_.size(), 1U);
  EXPECT_EQ(attempts_[0].status, MeasureStatus::kLost);
  EXPECT_EQ(attempts_[0].board, 1U);
  EXPECT_EQ(attempts_[0].measure_id, std::string(16, 'B'));
  EXPECT_EQ(ended_.at(1).attempt, 1);
  EXPECT_EQ(ended_.at(1).measure_id, fleet::AttemptId(std::string(16, 'B'), 1));
  // The lost board must not measure for nobody, and may forget the result once that is recorded.
  Mend(1);
  Pass(milliseconds(6'000));
  EXPECT_TRUE(acknowledged_[1].empty());
  Step(fleet::AttemptRecorded{1, 0});
  Settle();
  EXPECT_THAT(acknowledged_[1], ElementsAre(std::string(16, 'B')));
}

TEST_F(FleetCoreTest, F60WaitsAnHourForEveryLostBoardWithoutInventingAnything) {
  AddBoard(1);
  AddBoard(2);
  Submit(1);
  Submit(2);
  Submit(3);
  Cut(1);
  Cut(2);
  Pass(std::chrono::minutes(60));
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(CountNotices("class 'pi' has no board that works now: 'b1' is AWAY"), 1U);
  Mend(1);
  Mend(2);
  Pass(milliseconds(10'000));
  for (JobId id = 1; id <= 3; ++id) EXPECT_TRUE(HasNumbersOf(id)) << id;
}

TEST_F(FleetCoreTest, GivesUpOnAClassThatHasNoBoardForLongerThanAllowed) {
  fleet::FleetOptions options;
  options.max_wait = milliseconds(60'000);
  Use(options);
  AddBoard(1);
  AddBoard(2, "x86");
  Submit(1);
  Submit(2, "x86");
  Cut(1);
  Pass(milliseconds(70'000));
  EXPECT_TRUE(HasNumbersOf(2)) << "another class goes on";
  const Status status = ended_.at(1).result.status;
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("class 'pi' had no board that works for 60 s"));
  EXPECT_THAT(status.message(), HasSubstr("'b1' is AWAY"));
}

TEST_F(FleetCoreTest, AcknowledgesAResultWhenItIsRecorded) {
  AddBoard(1);
  Submit(1);
  Pass(milliseconds(1'000));
  ASSERT_TRUE(HasNumbersOf(1));
  EXPECT_TRUE(acknowledged_[1].empty());
  EXPECT_EQ(core_->num_jobs(), 1U);
  Step(fleet::AttemptRecorded{1, 0});
  Settle();
  EXPECT_THAT(acknowledged_[1], ElementsAre(std::string(16, 'B')));
  EXPECT_EQ(core_->num_jobs(), 0U);
}

TEST_F(FleetCoreTest, RefusesMoreJobsThanItKeeps) {
  fleet::FleetOptions options;
  options.max_jobs = 3;
  Use(options);
  for (JobId id = 1; id <= 10; ++id) Submit(id);
  EXPECT_EQ(core_->num_jobs(), 3U);
  ASSERT_EQ(ended_.size(), 7U);
  EXPECT_EQ(ended_.at(10).result.status.code(), StatusCode::kResourceExhausted);
}

TEST_F(FleetCoreTest, GivesTheJobOfARemovedBoardToAnotherOne) {
  AddBoard(1);
  AddBoard(2);
  Submit(1);
  Step(fleet::BoardRemoved{1});
  Settle();
  Pass(milliseconds(2'000));
  EXPECT_TRUE(gone_.contains(1));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 2U);
}

TEST_F(FleetCoreTest, DrainsABoardAfterItsJobAndTakesItBack) {
  AddBoard(1);
  Submit(1);
  Submit(2);
  boards_[1].is_drained = true;
  Pass(milliseconds(5'000));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_FALSE(HasNumbersOf(2));
  EXPECT_EQ(states_[1], BoardState::kDraining);
  boards_[1].is_drained = false;
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(2));
}

TEST_F(FleetCoreTest, DropsAJobThatNobodyWants) {
  AddBoard(1);
  Submit(1);
  Submit(2);
  Step(fleet::JobDropped{1});
  Step(fleet::JobDropped{2});
  Settle();
  Pass(milliseconds(3'000));
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(core_->num_jobs(), 0U);
  Submit(3);
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(3));
}

// An agent that ended between a board's answer and its record, and begins again.
TEST_F(FleetCoreTest, AsksTheBoardThatKnowsAMeasurementWhoeverElseIsIdle) {
  AddBoard(1);
  Submit(1);
  Pass(milliseconds(2'000));
  ASSERT_TRUE(HasNumbersOf(1));
  const std::string measure_id = ended_.at(1).measure_id;
  EXPECT_EQ(ended_.at(1).result.measurement.measure_id, measure_id);
  ASSERT_TRUE(acknowledged_[1].empty());

  ended_.clear();
  Use({});
  boards_[1].Reboot();
  AddBoard(2);
  AddBoard(3);
  AddBoard(1);
  Submit(1);
  EXPECT_EQ(asked_[1], (std::vector<std::string>{measure_id, measure_id}));
  Pass(milliseconds(2'000));
  ASSERT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 1U);
  EXPECT_TRUE(asked_[2].empty() && asked_[3].empty());
  Step(fleet::AttemptRecorded{1, 0});
  Settle();
  EXPECT_EQ(acknowledged_[1], std::vector<std::string>{measure_id});
}

// The answer that nobody recorded is of the second attempt.
TEST_F(FleetCoreTest, AsksTheBoardThatKnowsALaterAttempt) {
  AddBoard(1);
  Submit(1);
  AddBoard(2);
  Cut(1);
  Pass(milliseconds(25'000));
  ASSERT_TRUE(HasNumbersOf(1));
  ASSERT_EQ(BoardOf(1), 2U);
  ASSERT_EQ(ended_.at(1).attempt, 1);
  const std::string measure_id = ended_.at(1).measure_id;

  ended_.clear();
  Use({});
  boards_[2].Reboot();
  asked_.clear();
  AddBoard(3);
  AddBoard(2);
  Submit(1);
  Pass(milliseconds(2'000));
  ASSERT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(asked_[2], std::vector<std::string>{measure_id});
  EXPECT_TRUE(asked_[3].empty());
  EXPECT_EQ(ended_.at(1).attempt, 1);
  Step(fleet::AttemptRecorded{1, 1});
  Settle();
  EXPECT_EQ(acknowledged_[2], std::vector<std::string>{measure_id});
}

TEST_F(FleetCoreTest, KeepsAJobForNoBoardThatCannotWork) {
  AddBoard(1);
  Submit(1);
  Pass(milliseconds(2'000));
  ASSERT_TRUE(HasNumbersOf(1));
  ended_.clear();
  Use({});
  boards_[1].Reboot();
  AddBoard(1);
  Submit(2);  // the board that knows job 1 is busy
  AddBoard(2);
  Submit(1);
  EXPECT_TRUE(asked_[2].empty());
  Cut(1);
  Pass(milliseconds(2'000));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 2U);
}

// What the first board found goes with every measurement to the others of its class, to nobody else.
TEST_F(FleetCoreTest, PassesTheChoicesOfKernelsOnWithinAClass) {
  const std::string heading = "bitpilot kernel choices 2\nkernels\tbuild\n";
  boards_[1].kernel_choices = heading + "core\tlayer\tfast\t0.2\t1\n";
  boards_[2].kernel_choices = heading + "core\tlayer\tother\t0.2\t1\ncore\tmore\tfast\t0.2\t1\n";
  AddBoard(1);
  AddBoard(3, "xeon");
  Submit(1);
  Pass(milliseconds(2'000));
  AddBoard(2);
  Submit(2);  // the board that rested longest takes it
  Submit(3);
  Submit(4, "xeon");
  Pass(milliseconds(2'000));
  for (JobId id = 1; id <= 4; ++id) ASSERT_TRUE(HasNumbersOf(id)) << id;
  ASSERT_NE(BoardOf(2), BoardOf(3));
  EXPECT_EQ(boards_[2].last_kernel_choices, boards_[1].kernel_choices);
  EXPECT_EQ(boards_[3].last_kernel_choices, "");
  // The other one's choice of a known layer is none of the class's.
  for (JobId id = 5; id <= 6; ++id) Submit(id);
  Pass(milliseconds(2'000));
  const std::string all = heading + "core\tlayer\tfast\t0.2\t1\ncore\tmore\tfast\t0.2\t1\n";
  EXPECT_EQ(boards_[1].last_kernel_choices, all);
  EXPECT_EQ(boards_[2].last_kernel_choices, all);
  EXPECT_EQ(kernels_.at("pi"), all);
}

TEST_F(FleetCoreTest, LetsABoardThatIsAloneInItsClassChooseAnewAndKnowsWhatItWasTold) {
  const std::string known =
      "bitpilot kernel choices 2\nkernels\tbuild\ncore\tlayer\tfast\t0.2\t1\n";
  AddBoard(1);
  Step(fleet::KernelChoicesKnown{"pi", known});
  Submit(1);
  Pass(milliseconds(2'000));
  EXPECT_EQ(boards_[1].last_kernel_choices, "");
  AddBoard(2);
  Submit(2);
  Submit(3);
  Pass(milliseconds(2'000));
  EXPECT_EQ(boards_[1].last_kernel_choices, known);
  EXPECT_EQ(boards_[2].last_kernel_choices, known);
}

TEST_F(FleetCoreTest, EndsEveryJobWhenItCloses) {
  AddBoard(1);
  AddBoard(2);
  Cut(2);
  for (JobId id = 1; id <= 3; ++id) Submit(id);
  Step(fleet::CloseRequested{});
  Settle();
  Pass(milliseconds(1'000));
  EXPECT_EQ(ended_.size(), 3U);
  EXPECT_EQ(num_closed_, 1);
}

}  // namespace
}  // namespace bitpilot
