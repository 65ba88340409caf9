// Reserved boards without work: who gives them back, and when they are taken again.
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

#include "agent/fleet/fleet_core.h"
#include "tests/agent/fleet_core_fixture.h"

namespace bitpilot {
namespace {

using fleet::BoardState;
using std::chrono::milliseconds;

class FleetLeasesTest : public FleetCoreTest {};

TEST_F(FleetLeasesTest, KeepsAReservedBoardWithoutWorkWhileNobodyLocksItOut) {
  AddBoard(1);
  Submit(1);
  Pass(milliseconds(60'000));
  EXPECT_TRUE(HasNumbersOf(1));
  EXPECT_EQ(states_[1], BoardState::kReady);
}

// Another agent may have boards of "x86" and wait for one of "pi".
TEST_F(FleetLeasesTest, GivesAReservedBoardBackWhileItWaitsForAnothersBoard) {
  AddBoard(1, "pi");
  boards_[2].held_by = "the night shift";
  AddBoard(2, "x86");
  Pass(milliseconds(10'000));
  EXPECT_EQ(states_[1], BoardState::kReady) << "nothing waits for the other one yet";
  Submit(1, "x86");
  Pass(milliseconds(5'000));
  EXPECT_EQ(states_[1], BoardState::kGivenBack);
  Submit(2, "pi");
  Pass(milliseconds(3'000));
  EXPECT_TRUE(HasNumbersOf(2)) << "it is taken again for a job";
  boards_[2].held_by.clear();
  Pass(milliseconds(5'000));
  EXPECT_TRUE(HasNumbersOf(1));
}

TEST_F(FleetLeasesTest, GivesAnOlderDaemonsBoardBackAfterItsJobsIfALeasePerJobWasWanted) {
  boards_[1].protocol_minor = 2;
  AddBoard(1, "pi", /*has_power_cycle=*/false, LeaseKind::kPerJob);
  AddBoard(2, "pi", /*has_power_cycle=*/false, LeaseKind::kPerJob);
  Submit(1);
  Submit(2);
  Pass(milliseconds(1'500));
  EXPECT_EQ(ended_.size(), 2U);
  Pass(milliseconds(10'000));
  EXPECT_EQ(states_[1], BoardState::kGivenBack);
  EXPECT_EQ(states_[2], BoardState::kReady) << "a lease per job keeps nobody away";
  for (JobId id = 3; id <= 4; ++id) Submit(id);
  Pass(milliseconds(3'000));
  EXPECT_EQ(ended_.size(), 4U);
}

TEST_F(FleetLeasesTest, ClosesWithABoardThatIsGivenBack) {
  boards_[1].protocol_minor = 2;
  AddBoard(1, "pi", /*has_power_cycle=*/false, LeaseKind::kPerJob);
  Pass(milliseconds(10'000));
  ASSERT_EQ(states_[1], BoardState::kGivenBack);
  Step(fleet::CloseRequested{});
  Pass(milliseconds(1'000));
  EXPECT_EQ(num_closed_, 1);
}

TEST_F(FleetLeasesTest, WhatManyBoardsSayAlikeHasAGroup) {
  for (fleet::BoardId id = 1; id <= 3; ++id) {
    boards_[id].held_by = "the night shift";
    AddBoard(id);
  }
  boards_[4].is_drained = true;
  AddBoard(4);
  Pass(milliseconds(5'000));
  EXPECT_EQ(grouped_["work for other agents"], (std::set<std::string>{"b1", "b2", "b3"}));
  for (fleet::BoardId id = 1; id <= 3; ++id) boards_[id].held_by.clear();
  Pass(milliseconds(60'000));
  EXPECT_EQ(grouped_["are free"], (std::set<std::string>{"b1", "b2", "b3"}));
}

}  // namespace
}  // namespace bitpilot
