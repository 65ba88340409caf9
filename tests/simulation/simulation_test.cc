// Agents, boards and a hostile network under a thousand seeds: no law of experiments/reliability/oracle.h
// may break. 100,000 are a recorded run (experiments/reliability/README.md).
#include <gtest/gtest.h>

#include <cstdint>
#include <sstream>
#include <string>

#include "experiments/reliability/world.h"

namespace bitpilot::simulation {
namespace {

void ExpectLawsHold(std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const Outcome outcome = RunSeed(seed);
    EXPECT_EQ(outcome.violation, "") << "to see it: " << ReproducerOf(seed, PlantedBug::kNone);
    EXPECT_GT(outcome.executions, 0) << "seed " << seed;
  }
}

TEST(SimulatedFleetTest, BreaksNoLawInSeeds1To250) { ExpectLawsHold(1, 250); }
TEST(SimulatedFleetTest, BreaksNoLawInSeeds251To500) { ExpectLawsHold(251, 500); }
TEST(SimulatedFleetTest, BreaksNoLawInSeeds501To750) { ExpectLawsHold(501, 750); }
TEST(SimulatedFleetTest, BreaksNoLawInSeeds751To1000) { ExpectLawsHold(751, 1000); }

// What a reproducer prints must be what happened.
TEST(SimulatedFleetTest, DoesTheSameAgainForTheSameSeed) {
  for (const std::uint64_t seed : {3, 8, 21}) {
    std::ostringstream first;
    std::ostringstream second;
    const Outcome one = RunSeed(seed, PlantedBug::kNone, &first);
    const Outcome other = RunSeed(seed, PlantedBug::kNone, &second);
    EXPECT_EQ(one.at, other.at);
    EXPECT_EQ(one.events, other.events);
    EXPECT_EQ(first.str(), second.str());
    EXPECT_FALSE(first.str().empty());
  }
}

TEST(SimulatedFleetTest, NamesTheCommandThatShowsASeed) {
  EXPECT_EQ(ReproducerOf(7, PlantedBug::kNone), "fleet-simulation --seed 7 --trace");
  EXPECT_EQ(ReproducerOf(7, PlantedBug::kAgentRecordsTwice),
            "fleet-simulation --seed 7 --bug agent-records-twice --trace");
}

}  // namespace
}  // namespace bitpilot::simulation
