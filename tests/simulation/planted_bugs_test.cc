// Every law of the simulator catches a bug that is planted against it.
#include <gtest/gtest.h>

#include <algorithm>
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
    {PlantedBug::kAgentRecordsTwice, "recorded once"},
    {PlantedBug::kAgentAcknowledgesEarly, "nothing acknowledged is lost"},
    {PlantedBug::kAgentLosesItsLastRecord, "nothing acknowledged is lost"},
    {PlantedBug::kAgentMixesUpJobs, "numbers are measured"},
    {PlantedBug::kAgentInventsNumbers, "numbers are measured"},
    {PlantedBug::kAgentMixesClasses, "classes stay apart"},
    {PlantedBug::kAgentKeepsEveryJob, "bounded queues"},
    {PlantedBug::kAgentIgnoresTime, "progress"},
    {PlantedBug::kAgentForgetsALostBoard, "progress"},
    {PlantedBug::kAgentKeepsIdleBoards, "progress"},
    {PlantedBug::kAgentCutsPowerForEver, "bounded power cycles"},
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

TEST(PlantedBugsTest, AreAllTested) { EXPECT_EQ(std::size(kBugs), std::size_t{kNumBugs}); }

TEST(PlantedBugsTest, BreakEveryLaw) {
  std::set<std::string> laws;
  for (const BugAndLaw& one : kBugs) laws.insert(one.law);
  EXPECT_EQ(laws.size(), 12U) << "as many as experiments/reliability/oracle.h lists";
}

}  // namespace
}  // namespace bitpilot::simulation
