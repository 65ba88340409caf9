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
  Step(fleet::BoardOrdered{1, fleet::Order::kRelease, ""});
  Settle();
  EXPECT_EQ(states_[1], BoardState::kReady);
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
  Pass(milliseconds(119'000));
  EXPECT_EQ(power_cuts_[1], 0) << "it answered until two minutes ago";
  Pass(milliseconds(2'000));
  EXPECT_EQ(power_cuts_[1], 1);
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

TEST_F(FleetHealthTest, EndsJobsAtOnceWhenNoBoardCanComeBack) {
  AddBoard(1);
  Submit(1);
  Step(fleet::LinkEvent{1, LinkImpossible{Status(StatusCode::kUnavailable, "it died again")}});
  EXPECT_EQ(ended_.at(1).result.status.message(), "it died again");
}

}  // namespace
}  // namespace bitpilot
