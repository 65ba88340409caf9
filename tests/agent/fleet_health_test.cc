// Boards that fail: retries, quarantine, health checks and power.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "agent/fleet/fleet_core.h"
#include "tests/agent/fleet_core_fixture.h"

namespace bitpilot {
namespace {

using fleet::BoardState;
using std::chrono::milliseconds;
using testing::HasSubstr;

class FleetHealthTest : public FleetCoreTest {
 protected:
  FleetHealthTest() {
    options_.health_check = MeasureRequestOf(20);
    Use(options_);
  }
  // Another fleet, of no board yet.
  void SetUpAnew() {
    Use(options_);
    boards_.clear();
    ended_.clear();
    notices_.clear();
    asked_.clear();
    states_.clear();
    cut_.clear();
  }
  fleet::FleetOptions options_;
};

TEST_F(FleetHealthTest, TriesACrashOnceMoreOnTheSameBoardUnderANewId) {
  AddBoard(1);
  AddBoard(2);
  AnswerWith(1, v1::CRASH, 1);
  Submit(1);
  Pass(milliseconds(3'000));
  ASSERT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 1U);
  ASSERT_EQ(asked_[1].size(), 2U);
  EXPECT_NE(asked_[1][0], asked_[1][1]);
  AnswerWith(2, v1::CRASH, 2);
  Submit(2);
  Pass(milliseconds(3'000));
  EXPECT_EQ(ended_.at(2).result.measurement.status, MeasureStatus::kCrash) << "learnable";
}

TEST_F(FleetHealthTest, QuarantinesABoardOnThreeDifferentFailuresUntilAHealthCheckPasses) {
  AddBoard(1);
  AnswerWith(1, v1::CRASH, 5);
  for (JobId id = 1; id <= 4; ++id) Submit(id);
  Pass(milliseconds(6'000));
  EXPECT_EQ(states_[1], BoardState::kQuarantined);
  EXPECT_EQ(CountNotices("is quarantined: 3 different networks failed in a row"), 1U);
  EXPECT_FALSE(ended_.contains(3)) << "it failed once, which may be the board's fault";
  Pass(milliseconds(15'000));
  EXPECT_EQ(CountNotices("passed its health check"), 1U);
  EXPECT_TRUE(HasNumbersOf(3));
  EXPECT_TRUE(HasNumbersOf(4));
}

TEST_F(FleetHealthTest, DoesNotBlameABoardForOneCandidateThatCrashesEverywhere) {
  AddBoard(1);
  AnswerWith(1, v1::CRASH, 2);
  Submit(1);
  Pass(milliseconds(3'000));
  Submit(2);
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(2));
  EXPECT_EQ(CountNotices("quarantined"), 0U);
}

TEST_F(FleetHealthTest, KeepsABoardInQuarantineWhileItsHealthChecksFail) {
  AddBoard(1);
  AddBoard(2);
  AnswerWith(1, v1::CRASH, 1'000'000);
  for (JobId id = 1; id <= 8; ++id) Submit(id);
  Pass(std::chrono::minutes(10));
  EXPECT_EQ(states_[1], BoardState::kQuarantined);
  EXPECT_EQ(ended_.size(), 8U) << "the other board goes on";
  AnswerWith(1, v1::CRASH, 0);
  Pass(std::chrono::minutes(30));
  EXPECT_EQ(states_[1], BoardState::kReady) << "one passed";
}

TEST_F(FleetHealthTest, AsksAnotherBoardAboutAWrongOutputAndQuarantinesTheOneThatWasWrong) {
  AddBoard(1);
  AddBoard(2);
  AnswerWith(1, v1::WRONG_OUTPUT, 1);
  Submit(1);
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 2U);
  EXPECT_EQ(CountNotices("'b1' at tcp://192.0.2.7:7777 is quarantined: its output differs"), 1U);
}

TEST_F(FleetHealthTest, StopsAtAWrongOutputThatASecondBoardConfirms) {
  AddBoard(1);
  AddBoard(2);
  AnswerWith(1, v1::WRONG_OUTPUT, 1);
  AnswerWith(2, v1::WRONG_OUTPUT, 1);
  Submit(1);
  Pass(milliseconds(3'000));
  EXPECT_EQ(ended_.at(1).result.measurement.status, MeasureStatus::kWrongOutput);
  EXPECT_EQ(CountNotices("quarantined"), 0U);
}

TEST_F(FleetHealthTest, TakesAWrongOutputAtItsWordWhereNoOtherBoardCanLook) {
  AddBoard(1);
  AnswerWith(1, v1::WRONG_OUTPUT, 1);
  Submit(1);
  Pass(milliseconds(3'000));
  EXPECT_EQ(ended_.at(1).result.measurement.status, MeasureStatus::kWrongOutput);
}

TEST_F(FleetHealthTest, GivesAJobAtWhichABoardFailsByItsOwnFaultToAnotherOne) {
  for (const v1::MeasureStatus status : {v1::PROTOCOL_ERROR, v1::LOST, v1::CANCELLED}) {
    SetUpAnew();
    AddBoard(1);
    AddBoard(2);
    AnswerWith(1, status, 3);
    Submit(1);
    Pass(milliseconds(5'000));
    ASSERT_TRUE(HasNumbersOf(1)) << v1::MeasureStatus_Name(status);
    EXPECT_EQ(BoardOf(1), 2U);
    EXPECT_EQ(CountNotices("board 'b1' failed to measure"), 1U);
  }
}

TEST_F(FleetHealthTest, QuarantinesABoardThatAnswersInvalidlyAgainAndAgain) {
  for (const v1::MeasureStatus status : {v1::PROTOCOL_ERROR, v1::LOST}) {
    SetUpAnew();
    AddBoard(1);
    AddBoard(2);
    AnswerWith(1, status, 1'000'000);
    for (JobId id = 1; id <= 12; ++id) Submit(id);
    Pass(std::chrono::minutes(5));
    EXPECT_EQ(states_[1], BoardState::kQuarantined) << v1::MeasureStatus_Name(status);
    for (JobId id = 1; id <= 12; ++id) EXPECT_TRUE(HasNumbersOf(id)) << id;
    EXPECT_EQ(CountNotices("3 different networks failed in a row"), 1U);
  }
}

// An odd board must not end the search because the sound one reboots just then.
TEST_F(FleetHealthTest, WaitsForASoundBoardWithAJobAtWhichTheOnlyOneThatWorksFails) {
  AddBoard(1);
  AddBoard(2);
  Cut(2);
  AnswerWith(1, v1::PROTOCOL_ERROR, 2);
  Submit(1);
  Pass(std::chrono::minutes(10));
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(asked_[1].size(), 2U);
  EXPECT_EQ(CountNotices("a job waits for a board that did not fail at it"), 1U);
  Submit(2);
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(2)) << "the board goes on with others";
  Mend(2);
  Pass(milliseconds(10'000));
  ASSERT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 2U);
}

TEST_F(FleetHealthTest, WaitsForASoundBoardNoLongerThanAllowed) {
  options_.max_wait = milliseconds(60'000);
  SetUpAnew();
  AddBoard(1);
  AddBoard(2);
  Cut(2);
  AnswerWith(1, v1::PROTOCOL_ERROR, 2);
  Submit(1);
  Pass(milliseconds(59'000));
  EXPECT_TRUE(ended_.empty());
  Pass(milliseconds(4'000));
  ASSERT_TRUE(ended_.contains(1));
  EXPECT_EQ(ended_.at(1).result.status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(ended_.at(1).result.status.message(), HasSubstr("board 'b1' failed to measure"));
}

TEST_F(FleetHealthTest, EndsAJobAtWhichEveryBoardOfTheClassFails) {
  AddBoard(1);
  AddBoard(2);
  AddBoard(3, "x86");
  for (const fleet::BoardId id : {1, 2}) AnswerWith(id, v1::PROTOCOL_ERROR, 2);
  Submit(1);
  Pass(milliseconds(10'000));
  ASSERT_TRUE(ended_.contains(1));
  EXPECT_EQ(ended_.at(1).result.status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(asked_[1].size() + asked_[2].size(), 4U);
}

// A file that does not fit a board's disk is no property of what the file holds.
TEST_F(FleetHealthTest, GivesTheJobOfABoardWithAFullDiskToAnotherOne) {
  AddBoard(1);
  AddBoard(2);
  boards_[1].refuse_chunk = "no space left on device";
  Submit(1);
  Pass(milliseconds(5'000));
  ASSERT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 2U);
}

TEST_F(FleetHealthTest, GivesAnInferenceAtWhichABoardFailsToAnotherOne) {
  AddBoard(1);
  AddBoard(2);
  boards_[1].refuse_infer = "its worker died";
  for (JobId id = 1; id <= 6; ++id) {
    fleet::JobSpec job;
    job.request = InferRequestOf(id, 1);
    job.class_tag = "pi";
    Step(fleet::JobAdded{std::move(job)});
    Settle();
    Pass(milliseconds(1'000));
    ASSERT_TRUE(ended_.contains(id));
    EXPECT_TRUE(ended_.at(id).result.status.ok()) << ended_.at(id).result.status.message();
    EXPECT_EQ(BoardOf(id), 2U);
  }
  EXPECT_EQ(CountNotices("'b1' at tcp://192.0.2.7:7777 is quarantined"), 1U);
}

// A lab whose boards reboot one after the other under the same job.
TEST_F(FleetHealthTest, DoesNotGiveUpAJobThatWasUnderWayOnManyBoardsThatWentAway) {
  constexpr fleet::BoardId kBoards = 6;
  for (fleet::BoardId id = 1; id <= kBoards; ++id) {
    AddBoard(id);
    boards_[id].eta_ms = 60'000;
  }
  Submit(1);
  for (fleet::BoardId id = 1; id < kBoards; ++id) {
    Pass(milliseconds(5'000));
    ASSERT_EQ(states_[id], BoardState::kBusy);
    Cut(id);
    Pass(milliseconds(22'000));
  }
  Pass(milliseconds(61'000));
  ASSERT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), kBoards);
}

TEST_F(FleetHealthTest, UsesAnotherBoardWhileOneIsTooHot) {
  AddBoard(1);
  AddBoard(2);
  AnswerWith(1, v1::THERMAL_ABORT, 1);
  Submit(1);
  Pass(milliseconds(2'000));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 2U);
  EXPECT_EQ(CountNotices("'b1' is not fit to measure"), 1U);
}

TEST_F(FleetHealthTest, PowerCyclesABoardThatStaysAwayAndNotForEver) {
  AddBoard(1, "pi", /*has_power_cycle=*/true);
  AddBoard(2);
  Cut(1);
  Cut(2);
  Pass(milliseconds(119'000));
  EXPECT_EQ(power_cuts_[1], 0);
  Pass(milliseconds(2'000));
  EXPECT_EQ(power_cuts_[1], 1);
  Step(fleet::PowerCycled{1, Status(StatusCode::kInternal, "exit code 3")});
  EXPECT_EQ(CountNotices("could not be power-cycled: exit code 3"), 1U);
  Pass(std::chrono::hours(2));
  EXPECT_EQ(power_cuts_[1], 3);
  EXPECT_EQ(power_cuts_[2], 0) << "it has no hook";
  EXPECT_EQ(CountNotices("is power-cycled, 3 of at most 3 times"), 1U);
}

// Somebody may have it open, and its last job may still run.
TEST_F(FleetHealthTest, DoesNotCutThePowerOfABoardThatIsDrained) {
  AddBoard(1, "pi", /*has_power_cycle=*/true);
  AddBoard(2);
  boards_[1].is_drained = true;
  for (JobId id = 1; id <= 4; ++id) Submit(id);
  Pass(std::chrono::minutes(10));
  EXPECT_EQ(ended_.size(), 4U);
  EXPECT_EQ(states_[1], BoardState::kDraining);
  EXPECT_EQ(power_cuts_[1], 0);
  Cut(1);
  Pass(std::chrono::hours(2));
  EXPECT_EQ(power_cuts_[1], 0) << "who drained it may have unplugged it";
  boards_[1].is_drained = false;
  Mend(1);
  Pass(std::chrono::minutes(1));
  ASSERT_EQ(states_[1], BoardState::kReady);
  Cut(1);
  Pass(milliseconds(121'000));
  EXPECT_EQ(power_cuts_[1], 1) << "it was taken back";
}

TEST_F(FleetHealthTest, DoesNotCutThePowerOfABoardThatWasAnothersUntilAMomentAgo) {
  boards_[1].held_by = "the night shift";
  AddBoard(1, "pi", /*has_power_cycle=*/true);
  Pass(std::chrono::minutes(10));
  EXPECT_EQ(states_[1], BoardState::kHeld);
  Cut(1);
  Pass(milliseconds(60'000));
  EXPECT_EQ(power_cuts_[1], 0);
}

TEST_F(FleetHealthTest, ForgetsPowerCyclesOfABoardThatHasBeenWellForADay) {
  options_.power_cycles_forgotten_after = milliseconds(100'000);
  Use(options_);
  AddBoard(1, "pi", /*has_power_cycle=*/true);
  Cut(1);
  Pass(std::chrono::minutes(30));
  EXPECT_EQ(power_cuts_[1], 3);
  Mend(1);
  Pass(milliseconds(10'000));
  Cut(1);
  Pass(std::chrono::minutes(30));
  EXPECT_EQ(power_cuts_[1], 3) << "that it came back is not enough";
  Mend(1);
  Pass(milliseconds(10'000));
  Submit(1);
  Pass(milliseconds(3'000));
  ASSERT_TRUE(HasNumbersOf(1));
  Cut(1);
  Pass(std::chrono::minutes(30));
  EXPECT_EQ(power_cuts_[1], 6);
}

TEST_F(FleetHealthTest, TriesABoardThatFailedForGoodAgainLater) {
  options_.retry_failed_after = milliseconds(60'000);
  Use(options_);
  AddBoard(1);
  Step(fleet::LinkEvent{1, LinkDown{"cable"}});
  opening_.clear();
  Pass(milliseconds(200));
  Step(fleet::LinkEvent{1, LinkRefused{true}});
  EXPECT_EQ(states_[1], BoardState::kFailed);
  Submit(1);
  EXPECT_TRUE(ended_.empty());
  Pass(milliseconds(62'000));
  EXPECT_TRUE(HasNumbersOf(1));
}

TEST_F(FleetHealthTest, SaysOnceThatABoardRefusesItsKey) {
  options_.retry_failed_after = milliseconds(60'000);
  Use(options_);
  AddBoard(1);
  AddBoard(2);
  Cut(1);
  for (int minute = 0; minute < 10; ++minute) {
    Pass(milliseconds(500));
    Step(fleet::LinkEvent{1, LinkRefused{true}});
    EXPECT_EQ(states_[1], BoardState::kFailed);
    Pass(milliseconds(60'000));
  }
  EXPECT_EQ(CountNotices("a board failed"), 1U);
}

TEST_F(FleetHealthTest, EndsJobsAtOnceWhenNoBoardCanComeBack) {
  AddBoard(1);
  Submit(1);
  Step(fleet::LinkEvent{1, LinkImpossible{Status(StatusCode::kUnavailable, "it died again")}});
  EXPECT_EQ(ended_.at(1).result.status.message(), "it died again");
}

}  // namespace
}  // namespace bitpilot
