// The sampler's promises on machines with known truth. Fewer trials than in
// experiments/timing_statistics, which has the tables; the seeds make every count the same each
// time.
#include <gtest/gtest.h>

#include <algorithm>

#include "experiments/timing_statistics/simulated_trials.h"

namespace bitpilot {
namespace {

constexpr auto kStandard = v1::MeasureSpec::STANDARD;

const Noise& HeavyTail() {
  static const Noise noise = AllNoises()[1];  // Student's t with 3 degrees of freedom
  return noise;
}

// The noise at which a STANDARD run stops at each of its checkpoints about equally often is where
// optional stopping costs most. A rate of 0.955 over 2,000 trials has a standard error of 0.005.
TEST(TimingStatisticsTest, IntervalsCoverTheTruthInSpiteOfOptionalStopping) {
  for (const Noise& noise : AllNoises()) {
    EXPECT_GE(Coverage(kStandard, noise, 0.01, 2'000, 1), 0.94) << noise.name;
  }
  EXPECT_GE(Coverage(v1::MeasureSpec::SCREEN, HeavyTail(), 0.01, 2'000, 2), 0.94);
  EXPECT_GE(Coverage(v1::MeasureSpec::AUDIT, HeavyTail(), 0.01, 2'000, 3), 0.94);
}

TEST(TimingStatisticsTest, CleanRunsAreNotNoisy) {
  for (const Noise& noise : AllNoises()) {
    EXPECT_LE(NoisyShare(kStandard, Constant(1.0), noise, 0.005, 2'000, 4), 0.02) << noise.name;
  }
}

TEST(TimingStatisticsTest, ARampIsNoisy) {
  for (const Noise& noise : AllNoises()) {
    EXPECT_GE(NoisyShare(kStandard, Ramp(0.05, 9), noise, 0.005, 500, 5), 0.95) << noise.name;
    EXPECT_GE(NoisyShare(kStandard, Ramp(-0.05, 9), noise, 0.005, 500, 6), 0.95) << noise.name;
  }
}

// The middle half of the shortest run; the windows that follow make it an early step of a long one.
// Noise of 0.5 % has spikes as large as the step.
TEST(TimingStatisticsTest, AStepInTheMiddleHalfIsNoisyInSpiteOfSpikes) {
  for (const Noise& noise : AllNoises()) {
    for (const double change : {0.05, -0.05}) {
      for (int after = 3; after <= 6; ++after) {
        EXPECT_GE(NoisyShare(kStandard, StepAfter(change, after), noise, 0.005, 300, 7), 0.95)
            << noise.name << ", " << change << " after window " << after;
      }
    }
  }
}

TEST(TimingStatisticsTest, TwoSpeedsAreNoisyFromTheSecondSlowWindowOn) {
  const auto two_slow = [](const Trial& trial) {
    const WindowSeries& series = trial.series.front();
    return std::count_if(series.wall_ns.begin(), series.wall_ns.end(),
                         [](double time) { return time > 1.075 * UnitLatencyNs(kStandard); }) >= 2;
  };
  for (const Noise& noise : AllNoises()) {
    EXPECT_GE(NoisyShare(kStandard, SlowAtRandom(0.2, 0.15), noise, 0.005, 500, 8, two_slow), 0.95)
        << noise.name;
  }
}

TEST(TimingStatisticsTest, EqualNetworksAreCalledNoDifference) {
  for (const Noise& noise : AllNoises()) {
    const Claims claims = CountClaims(v1::MeasureSpec::AUDIT, 1.0, noise, 0.01, 500, 9);
    EXPECT_GE(claims.no_difference, 490) << noise.name;
  }
}

// Rounds that scatter by 2 % and more leave ratios several percent off by chance: such are not OK.
TEST(TimingStatisticsTest, ARatioThatIsOffByOnePercentIsSeldomOk) {
  for (const Noise& noise : AllNoises()) {
    for (const double scale : {0.01, 0.02, 0.05}) {
      const Claims claims = CountClaims(v1::MeasureSpec::AUDIT, 1.0, noise, scale, 500, 12);
      EXPECT_LE(claims.ok - claims.ok_within_1_percent, 10) << noise.name << ", " << scale;
    }
  }
}

TEST(TimingStatisticsTest, ThreePercentAreFoundInAShortAudit) {
  const Claims slower = CountClaims(v1::MeasureSpec::AUDIT, 1.03, HeavyTail(), 0.01, 60, 10);
  EXPECT_GE(slower.slower, 57);
  const Claims faster = CountClaims(v1::MeasureSpec::AUDIT, 0.97, HeavyTail(), 0.01, 60, 11);
  EXPECT_GE(faster.faster, 57);
}

}  // namespace
}  // namespace bitpilot
