#include "experiments/timing_statistics/simulated_versus.h"

#include <utility>

#include "kernels/base/check.h"
#include "kernels/versus/versus.h"

namespace bitpilot {
namespace {

VersusBlock SimulateBlock(double ratio, const VersusMachine& machine, const VersusTurn& turn,
                          Random& random, double& seconds) {
  std::vector<double> levels{turn.same ? 1.0 : ratio, 1.0};
  if (turn.second_first()) std::swap(levels[0], levels[1]);
  levels[1] *= 1.0 + machine.second;
  VersusBlock block;
  for (int tried = 1;; ++tried) {
    std::vector<Level> placed;
    for (const double level : levels) {
      const double luck = std::uniform_real_distribution<double>(-1.0, 1.0)(random);
      placed.push_back(Constant(level * (1.0 + machine.place * luck)));
    }
    const Trial trial =
        RunTrial(v1::MeasureSpec::AUDIT, placed, machine.noise, machine.scale, random);
    seconds += trial.seconds;
    if (trial.noisy() && tried < turn.max_tries) continue;
    block.tried = tried;
    block.times_ns = {trial.series[0].cpu_ns, trial.series[1].cpu_ns};
    return WithAFirst(std::move(block), turn);
  }
}

}  // namespace

VersusClaims CountVersusClaims(double ratio, const VersusMachine& machine, int comparisons,
                               std::uint64_t seed) {
  Random random(seed);
  VersusClaims claims;
  claims.comparisons = comparisons;
  for (int i = 0; i < comparisons; ++i) {
    const Result<VersusBlocks> blocks = MeasureVersus(
        [&](const VersusTurn& turn) -> Result<VersusBlock> {
          return SimulateBlock(ratio, machine, turn, random, claims.seconds);
        },
        [](const std::vector<VersusBlock>&) {});
    BITPILOT_CHECK(blocks.ok());
    const VersusVerdict verdict = JudgeTimes(*blocks);
    claims.no_verdict += !verdict.speed;
    claims.faster += verdict.speed == Speed::kFaster;
    claims.slower += verdict.speed == Speed::kSlower;
    claims.no_difference += verdict.speed == Speed::kNoDifference;
    claims.covered += verdict.different.low <= ratio && ratio <= verdict.different.high;
    if (verdict.smallest_difference) claims.smallest.push_back(*verdict.smallest_difference);
  }
  return claims;
}

}  // namespace bitpilot
