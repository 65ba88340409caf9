// What a search's rule of measuring again is worth on machines of known truth. Fewer searches than in
// experiments/timing_statistics, which has the tables; the seeds make every count the same each time.
#include <gtest/gtest.h>

#include "experiments/timing_statistics/simulated_steps.h"

namespace bitpilot {
namespace {

constexpr int kSearches = 20;  // 480 steps: a rate of .95 has a standard error of .01

// A measurement is chosen by its verdict and its width: that must not cost the interval its promise.
TEST(StepStatisticsTest, IntervalsCoverTheTruthThoughWhatIsNoisyIsMeasuredAgain) {
  const StepDisturbance none = AllStepDisturbances()[0];
  for (const Noise& noise : AllNoises()) {
    // Windows that scatter so much are often NOISY by themselves.
    for (const bool is_limited : {false, true}) {
      const StepCounts counts = SimulateSteps(none, noise, 0.02, is_limited, kSearches, 1);
      EXPECT_GE(counts.covered, 0.92 * counts.steps) << noise.name;
    }
  }
}

TEST(StepStatisticsTest, WhatPassesByIsMeasuredAgainAndClean) {
  for (const StepDisturbance& disturbance : AllStepDisturbances()) {
    if (disturbance.hits != 0.2) continue;
    const StepCounts counts =
        SimulateSteps(disturbance, AllNoises()[0], 0.005, /*is_limited=*/false, kSearches, 2);
    EXPECT_LE(counts.noisy, 0.05 * counts.steps) << disturbance.name;
  }
}

// A quarter, and one repeat: of 24 steps that are all SCREEN, no more than another quarter.
TEST(StepStatisticsTest, AMachineThatStaysNoisyMakesNoSearchMuchLonger) {
  for (const StepDisturbance& disturbance : AllStepDisturbances()) {
    if (disturbance.hits != 1.0) continue;
    for (const Noise& noise : {AllNoises().front(), AllNoises().back()}) {
      const StepCounts limited = SimulateSteps(disturbance, noise, 0.005, true, kSearches, 3);
      EXPECT_LE(limited.times(), 1.5) << disturbance.name << ", " << noise.name;
      const StepCounts always = SimulateSteps(disturbance, noise, 0.005, false, kSearches, 3);
      EXPECT_GT(always.times(), 1.7) << disturbance.name << ", " << noise.name;
    }
  }
}

}  // namespace
}  // namespace bitpilot
