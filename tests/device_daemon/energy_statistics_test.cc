// The energy phase's intervals on boards and meters with known truth. Fewer trials than in
// experiments/energy_statistics, which has the tables; the seeds make every count the same each
// time. A rate of 0.95 over 2,000 trials has a standard error of 0.005.
#include <gtest/gtest.h>

#include "experiments/energy_statistics/simulated_energy.h"

namespace bitpilot {
namespace {

constexpr int kTrials = 2'000;

// Windows of SCREEN, STANDARD and AUDIT, and as many as order statistics need.
constexpr int kRounds[] = {2, 3, 5, 6};

TEST(EnergyStatisticsTest, IntervalsCoverTheTruthAtAnyNumberOfWindows) {
  const std::vector<Noise> noises = AllNoises();
  for (const std::size_t symmetric : {0U, 1U}) {  // normal, and Student's t with 3 degrees
    for (const int rounds : kRounds) {
      for (const double accuracy : {0.0, 0.01}) {
        SCOPED_TRACE(noises[symmetric].name + ", " + std::to_string(rounds) + " rounds, meter " +
                     std::to_string(accuracy));
        const CoveredShares cover =
            CoverEnergy(rounds, noises[symmetric], /*noise_mean=*/0.0, 0.003,
                        /*slow_change=*/0.0, accuracy, kTrials, 1);
        EXPECT_GE(cover.gross, 0.935);
        EXPECT_GE(cover.net, 0.935);
        EXPECT_GE(cover.ratio, 0.935);
      }
    }
  }
}

// What the meter shows too much of everything, and what the board drifts, is in both windows of a
// round.
TEST(EnergyStatisticsTest, ARatioIsFreeOfTheMetersScaleError) {
  const Noise normal = AllNoises().front();
  const CoveredShares exact = CoverEnergy(5, normal, 0.0, 0.001, 0.01, 0.0, kTrials, 2);
  const CoveredShares poor = CoverEnergy(5, normal, 0.0, 0.001, 0.01, 0.1, kTrials, 2);
  EXPECT_GE(poor.ratio, 0.935);
  EXPECT_NEAR(poor.ratio_half_width, exact.ratio_half_width, 1e-12);
  EXPECT_LT(poor.ratio_half_width, 0.003);
}

TEST(EnergyStatisticsTest, IntervalsCoverTheTruthOfSampledPowerThatSwings) {
  for (const int rounds : kRounds) {
    const CoveredShares cover = CoverSampledEnergy(rounds, 0.01, kTrials / 4, 3);
    EXPECT_GE(cover.gross, 0.92) << rounds;
    EXPECT_GE(cover.net, 0.92) << rounds;
    EXPECT_GE(cover.ratio, 0.92) << rounds;
  }
}

}  // namespace
}  // namespace bitpilot
