// Which boards a class has: what it takes after, and boards that change.
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

class FleetClassTest : public FleetCoreTest {
 protected:
  // Boards that are listed and not there yet.
  void ListBoards(fleet::BoardId count) {
    for (fleet::BoardId id = 1; id <= count; ++id) {
      cut_.insert(id);
      AddBoard(id);
    }
  }
  void Come(fleet::BoardId id) {
    Mend(id);
    Pass(milliseconds(300));
  }
  void Reboot(fleet::BoardId id) {
    boards_[id].Reboot();
    Mend(id);
  }
  void SubmitTo(JobId id, fleet::BoardId board) {
    fleet::JobSpec job;
    job.request = MeasureRequestOf(id);
    job.only_on = board;
    Step(fleet::JobAdded{std::move(job)});
    Settle();
  }
};

TEST_F(FleetClassTest, TakesAfterMostOfItsBoardsAndNotAfterTheFirstOne) {
  ListBoards(4);
  boards_[1].isa = "scalar";
  Submit(1);
  Come(1);
  EXPECT_TRUE(asked_[1].empty()) << "what the class is like is not known yet";
  Come(2);
  Come(3);
  Come(4);
  Pass(milliseconds(2'000));
  EXPECT_EQ(states_[1], BoardState::kLeftOut);
  EXPECT_EQ(CountNotices("instruction set is scalar, was avx2"), 1U);
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_NE(BoardOf(1), 1U);
}

TEST_F(FleetClassTest, TakesAfterMoreThanHalfOfItsBoardsAtOnce) {
  ListBoards(3);
  Submit(1);
  Come(2);
  EXPECT_TRUE(asked_[2].empty());
  Come(3);
  EXPECT_EQ(asked_[2].size() + asked_[3].size(), 1U);
}

TEST_F(FleetClassTest, WaitsTwoSecondsForBoardsThatDoNotCome) {
  ListBoards(3);
  Submit(1);
  Come(2);
  Pass(milliseconds(1'000));
  EXPECT_TRUE(asked_[2].empty());
  EXPECT_EQ(states_[2], BoardState::kReady);
  Pass(milliseconds(2'000));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(CountNotices("has no board that works"), 0U);
}

TEST_F(FleetClassTest, LeavesOutABoardThatComesBackDifferentAndMovesItsJob) {
  AddBoard(1);
  AddBoard(2);
  boards_[1].eta_ms = 10'000;
  Submit(1);
  ASSERT_EQ(asked_[1].size(), 1U);
  boards_[1].governor = "powersave";
  Reboot(1);
  Pass(milliseconds(3'000));
  EXPECT_EQ(states_[1], BoardState::kLeftOut);
  EXPECT_EQ(CountNotices("governor is powersave, was not told"), 1U);
  EXPECT_EQ(asked_[1].size(), 1U) << "it is not asked to go on";
  ASSERT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(BoardOf(1), 2U);
  ASSERT_EQ(attempts_.size(), 1U);
  EXPECT_EQ(attempts_[0].status, MeasureStatus::kLost);
}

TEST_F(FleetClassTest, TellsWhatABoardWasLikeWhenItAnswered) {
  AddBoard(1);
  SubmitTo(1, 1);
  Pass(milliseconds(1'000));
  boards_[1].governor = "powersave";
  Reboot(1);
  SubmitTo(2, 1);
  Pass(milliseconds(3'000));
  ASSERT_TRUE(HasNumbersOf(1));
  ASSERT_TRUE(HasNumbersOf(2));
  EXPECT_EQ(ended_.at(1).info.governor, "");
  EXPECT_EQ(ended_.at(2).info.governor, "powersave");
}

// After an update of every daemon, say, until one governor is put right.
TEST_F(FleetClassTest, LooksAgainEveryMinuteAtBoardsThatItLeftOut) {
  fleet::FleetOptions options;
  BoardInfo& like = options.expected["pi"];
  like.isa = "avx2";
  like.backend = "kernels";
  like.governor = "performance";
  Use(options);
  for (const fleet::BoardId id : {1, 2}) {
    boards_[id].governor = "powersave";
    AddBoard(id, "pi", /*has_power_cycle=*/true);
    EXPECT_EQ(states_[id], BoardState::kLeftOut);
  }
  Submit(1);
  Pass(milliseconds(10'000));
  EXPECT_EQ(CountNotices("class 'pi' has no board that works now: 'b1' is LEFT_OUT (governor is "
                         "powersave, was performance), 'b2' is LEFT_OUT"),
            1U);
  EXPECT_EQ(core_->Boards().at(0).left_out_of.count("pi"), 1U);
  Pass(std::chrono::minutes(5));
  EXPECT_TRUE(ended_.empty());
  EXPECT_EQ(CountNotices("is left out of"), 2U) << "each once";
  EXPECT_EQ(power_cuts_[1], 0);
  boards_[2].governor = "performance";
  Pass(milliseconds(62'000));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(states_[1], BoardState::kLeftOut);
  EXPECT_EQ(CountNotices("'b2' at tcp://192.0.2.7:7777 is like the other boards of class 'pi' now"),
            1U);
}

// It was reserved and given back in the moment in which its class became known: two seconds after both.
TEST_F(FleetClassTest, LooksAgainAtABoardThatItGaveBackWhenItLeftItOut) {
  boards_[2].held_by = "the night shift";
  boards_[3].isa = "scalar";
  ListBoards(3);
  Submit(1);
  Come(3);
  Come(2);
  Come(1);
  Pass(milliseconds(3'000));
  ASSERT_EQ(states_[3], BoardState::kLeftOut);
  boards_[3].isa = "avx2";
  for (JobId id = 2; id <= 4; ++id) Submit(id);
  Pass(milliseconds(62'000));
  EXPECT_EQ(CountNotices("'b3' at tcp://192.0.2.7:7777 is like the other boards of class 'pi' now"),
            1U);
}

TEST_F(FleetClassTest, DoesNotKeepALeaseOnABoardThatItLeavesOut) {
  AddBoard(1);
  boards_[2].isa = "scalar";
  AddBoard(2, "pi");
  Pass(std::chrono::minutes(3));
  EXPECT_EQ(states_[2], BoardState::kLeftOut);
  EXPECT_FALSE(boards_[2].is_leased(now_));
}

}  // namespace
}  // namespace bitpilot
