// What A against B promises, on machines with known truth: the product's own protocol, sampler and
// judgement at the default length. The seeds make every count the same each time; tables are in
// experiments/timing_statistics.
#include <gtest/gtest.h>

#include <vector>

#include "experiments/timing_statistics/simulated_versus.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr int kComparisons = 100;

// Windows that scatter by 1 %, with every noise; and, with tails of Student's t, where who runs second
// in a block is 0.8 % slower, which is as far as two copies of one network differed, and where each
// network is up to 0.4 % slower or faster for as long as a block lasts, by its place in memory.
std::vector<VersusMachine> Machines() {
  std::vector<VersusMachine> machines;
  for (const Noise& noise : AllNoises()) machines.push_back({noise, 0.01, 0.0, 0.0});
  machines.push_back({AllNoises()[1], 0.01, 0.008, 0.0});
  machines.push_back({AllNoises()[1], 0.01, 0.0, 0.004});
  return machines;
}

std::string NameOf(const VersusMachine& machine) {
  return machine.noise.name + ", second " + std::to_string(machine.second) + ", place " +
         std::to_string(machine.place);
}

TEST(VersusStatisticsTest, TwoCopiesAreCalledNoDifference) {
  for (const VersusMachine& machine : Machines()) {
    EXPECT_GE(CountVersusClaims(1.0, machine, kComparisons, 1).no_difference, 98)
        << NameOf(machine);
  }
}

// Of a rate of 0.95 over all 800 comparisons the standard error is 0.008.
TEST(VersusStatisticsTest, AlmostTwoPercentSlowerIsFoundAndTheIntervalsCoverIt) {
  int covered = 0;
  for (const VersusMachine& machine : Machines()) {
    const VersusClaims claims = CountVersusClaims(1.018, machine, kComparisons, 2);
    EXPECT_GE(claims.slower, 95) << NameOf(machine);
    EXPECT_GE(claims.covered, 90) << NameOf(machine);
    covered += claims.covered;
  }
  EXPECT_GE(covered, 0.94 * 8 * kComparisons);
}

TEST(VersusStatisticsTest, AlmostTwoPercentFasterIsFound) {
  for (const VersusMachine& machine : Machines()) {
    EXPECT_GE(CountVersusClaims(0.982, machine, kComparisons, 3).faster, 95) << NameOf(machine);
  }
}

// Each comparison estimates the size. A network that differs by the median of these estimates is found
// as often as they say, and one that differs by half of it, which is less than a claim takes, is not.
TEST(VersusStatisticsTest, WhatIsSaidToBeFoundIsFound) {
  for (const Noise& noise : {AllNoises()[0], AllNoises()[1]}) {
    const VersusMachine machine{noise, 0.01, 0.0, 0.0};
    const VersusClaims same = CountVersusClaims(1.0, machine, kComparisons, 5);
    ASSERT_EQ(same.smallest.size(), std::size_t{kComparisons}) << noise.name;
    const double stated = Median(same.smallest);
    EXPECT_GE(CountVersusClaims(1.0 + stated, machine, kComparisons, 6).slower, 93) << noise.name;
    EXPECT_LE(CountVersusClaims(1.0 + stated / 2.0, machine, kComparisons, 7).slower, 50)
        << noise.name;
  }
}

}  // namespace
}  // namespace bitpilot
