// Every law of the simulator catches a bug that is planted against it.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ostream>
#include <set>
#include <string>

#include "experiments/reliability/world.h"

namespace bitpilot::simulation {

struct BugAndLaw {
  PlantedBug bug;
  const char* law;
};

void PrintTo(const BugAndLaw& one, std::ostream* stream) { *stream << ToString(one.bug); }

namespace {

constexpr BugAndLaw kBugs[] = {
    {PlantedBug::kBoardForgetsEpochs, "one lease an epoch"},
    {PlantedBug::kBoardGrantsAHeldLease, "one lease an epoch"},
    {PlantedBug::kBoardRunsWithoutLease, "no execution without lease"},
    {PlantedBug::kBoardRunsADuplicate, "one execution a boot"},
    {PlantedBug::kBoardRunsTwoJobsAtOnce, "no execution without lease"},
    {PlantedBug::kBoardIgnoresPriorities, "turns in order"},
    {PlantedBug::kBoardLosesStoredResults, "stored results last"},
    {PlantedBug::kBoardMeasuresAnotherNetwork, "numbers are measured"},
    {PlantedBug::kBoardSwapsNetworks, "numbers are measured"},
    {PlantedBug::kBoardInventsFailures, "failures are explained"},
    {PlantedBug::kBoardLosesAStoppedWorker, "progress"},
    {PlantedBug::kBoardForgetsADrain, "drained boards rest"},
    {PlantedBug::kBoardHidesAChange, "classes stay apart"},
    {PlantedBug::kAgentRecordsTwice, "recorded once"},
    {PlantedBug::kAgentAcknowledgesEarly, "nothing acknowledged is lost"},
    {PlantedBug::kAgentLosesItsLastRecord, "nothing acknowledged is lost"},
    {PlantedBug::kAgentMixesUpJobs, "numbers are measured"},
    {PlantedBug::kAgentSwapsJobs, "numbers are measured"},
    {PlantedBug::kAgentInventsFailures, "failures are explained"},
    {PlantedBug::kAgentGivesUpAtOnce, "failures are explained"},
    {PlantedBug::kAgentInventsNumbers, "numbers are measured"},
    {PlantedBug::kAgentMixesClasses, "classes stay apart"},
    {PlantedBug::kAgentKeepsEveryJob, "bounded queues"},
    {PlantedBug::kAgentIgnoresTime, "progress"},
    {PlantedBug::kAgentForgetsALostBoard, "progress"},
    {PlantedBug::kAgentKeepsIdleBoards, "progress"},
    {PlantedBug::kAgentCutsPowerForEver, "bounded power cycles"},
    {PlantedBug::kAgentCutsPowerOfDrainedBoards, "drained boards rest"},
    {PlantedBug::kAgentKeepsAReplacedLink, "progress"},
    {PlantedBug::kAgentLosesNumbers, "numbers are measured"},
    {PlantedBug::kBoardHidesNoise, "numbers are measured"},
};

class PlantedBugTest : public testing::TestWithParam<BugAndLaw> {};

// Far fewer seeds than the thousand in which the real cores break none.
TEST_P(PlantedBugTest, IsCaughtWithinThreeHundredSeeds) {
  std::string violation;
  for (std::uint64_t seed = 1; seed <= 300 && violation.empty(); ++seed) {
    violation = RunSeed(seed, GetParam().bug).violation;
  }
  EXPECT_TRUE(violation.starts_with(GetParam().law))
      << "expected '" << GetParam().law << "' to break, got '" << violation << "'";
}

INSTANTIATE_TEST_SUITE_P(All, PlantedBugTest, testing::ValuesIn(kBugs), [](const auto& one) {
  std::string name(ToString(one.param.bug));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

// Where boards are drained while they work, and nothing else goes wrong.
TEST(PlantedBugsTest, CatchABoardThatStopsWhatItRunsAtADrain) {
  Scenario lab;
  lab.agents = {{}, {}};
  lab.jobs_per_agent = 24;
  lab.boards = {{"big", "big"}, {"big", "big"}};
  lab.faults.drains = 100;
  lab.faults_end = std::chrono::seconds(30);
  lab.end = std::chrono::minutes(10);
  std::string violation;
  for (lab.seed = 1; lab.seed <= 20; ++lab.seed) {
    EXPECT_EQ(World(lab, PlantedBug::kNone, nullptr).Run().violation, "") << "seed " << lab.seed;
    if (!violation.empty()) continue;
    violation = World(lab, PlantedBug::kBoardStopsAtADrain, nullptr).Run().violation;
  }
  EXPECT_TRUE(violation.starts_with("failures are explained")) << violation;
}

TEST(PlantedBugsTest, AreAllTested) {
  constexpr int kTestedAlone = 1;
  EXPECT_EQ(std::size(kBugs) + kTestedAlone, std::size_t{kNumBugs});
}

TEST(PlantedBugsTest, BreakEveryLaw) {
  std::set<std::string> laws;
  for (const BugAndLaw& one : kBugs) laws.insert(one.law);
  EXPECT_EQ(laws.size(), 14U) << "as many as experiments/reliability/oracle.h lists";
}

}  // namespace
}  // namespace bitpilot::simulation
