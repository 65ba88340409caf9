// Agents that share boards: priorities, fair turns, and nobody is locked out.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "experiments/reliability/world.h"

namespace bitpilot::simulation {
namespace {

Scenario QuietLab(std::uint64_t seed, std::vector<Scenario::Agent> agents,
                  const std::vector<std::string>& boards) {
  Scenario scenario;
  scenario.seed = seed;
  scenario.agents = std::move(agents);
  scenario.jobs_per_agent = 24;
  for (const std::string& tag : boards) scenario.boards.push_back({tag, tag, false});
  scenario.end = std::chrono::minutes(10);
  return scenario;
}

// Three agents of equal rank on one board: a job that waits lets few later ones go first.
TEST(SharedBoardTest, GivesAgentsOfEqualPriorityTheirTurns) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(QuietLab(seed, {{}, {}, {}}, {"big"}), PlantedBug::kNone, nullptr);
    const Outcome outcome = world.Run();
    EXPECT_EQ(outcome.violation, "") << "seed " << seed;
    EXPECT_GE(outcome.executions, 3 * 24) << "seed " << seed;
    EXPECT_LE(world.oracle().most_overtakers(), 8) << "seed " << seed;
  }
}

// Two agents of a higher rank could keep the board to themselves.
TEST(SharedBoardTest, PassesOverALowPriorityAndLetsItNotStarve) {
  int most = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(QuietLab(seed, {{false, 1}, {false, 1}, {false, -1}}, {"big"}), PlantedBug::kNone,
                nullptr);
    EXPECT_EQ(world.Run().violation, "") << "seed " << seed;
    most = std::max(most, world.oracle().most_overtakers());
  }
  EXPECT_GT(most, 8) << "higher priorities go first";
  EXPECT_LE(most, Oracle::kMostOvertakers);
}

// An inference has no id that outlives its request, so whatever refuses a copy of one looks like its
// answer.
TEST(SharedBoardTest, KeepsItsPromiseThoughMessagesComeTwice) {
  int most = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Scenario lab = QuietLab(seed, {{false, 1}, {false, 1}, {false, -1}}, {"big"});
    lab.faults.doubled = 300;
    lab.faults_end = std::chrono::minutes(5);
    World world(lab, PlantedBug::kNone, nullptr);
    EXPECT_EQ(world.Run().violation, "") << "seed " << seed;
    most = std::max(most, world.oracle().most_overtakers());
  }
  EXPECT_GT(most, 8) << "higher priorities go first";
}

// A job that waits for longer than a lease lasts is not asked about meanwhile.
TEST(SharedBoardTest, KeepsItsPromiseToWhoWaitsForLongerThanALeaseLasts) {
  int most = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Scenario lab = QuietLab(seed, {{false, 1}, {false, 1}, {false, -1}}, {"big"});
    lab.faults.slow_boards = 1'000;
    lab.faults_end = std::chrono::minutes(20);
    lab.end = std::chrono::minutes(60);
    World world(lab, PlantedBug::kNone, nullptr);
    EXPECT_EQ(world.Run().violation, "") << "seed " << seed;
    most = std::max(most, world.oracle().most_overtakers());
  }
  EXPECT_GT(most, 8) << "higher priorities go first";
}

// Each reserves what it can get, and needs boards of both classes.
TEST(SharedBoardTest, LetsTwoAgentsReserveBoardsOfTwoClasses) {
  int locked_out = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const Scenario lab = QuietLab(seed, {{true, 0}, {true, 0}}, {"big", "small"});
    EXPECT_EQ(World(lab, PlantedBug::kNone, nullptr).Run().violation, "") << "seed " << seed;
    const Outcome kept = World(lab, PlantedBug::kAgentKeepsIdleBoards, nullptr).Run();
    locked_out += kept.violation.starts_with("progress") ? 1 : 0;
  }
  EXPECT_GT(locked_out, 0) << "without giving back they lock each other out";
}

}  // namespace
}  // namespace bitpilot::simulation
