// How much it pays to plan with the state of the weights: regrets of three searchers on toys whose optimum is
// known by trying every choice.
//
//   planning [SEEDS]        40 by default; about a second each
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "experiments/planning/planning_arms.h"

namespace bitpilot {
namespace {

struct Arm {
  const char* name;
  double (*run)(const PlanningToy& toy, std::uint64_t seed);
  std::vector<double> regrets = {};
};

double Mean(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double MiddleOf(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Run(int num_seeds) {
  std::array<Arm, 3> arms = {
      {{"state-blind", StateBlindLoss}, {"two-stage", TwoStageLoss}, {"lookahead", LookaheadLoss}}};
  for (int seed = 1; seed <= num_seeds; ++seed) {
    const PlanningToy toy(static_cast<std::uint64_t>(seed));
    const double optimum = toy.OptimalLoss();
    for (Arm& arm : arms) {
      arm.regrets.push_back(arm.run(toy, static_cast<std::uint64_t>(seed)) - optimum);
    }
  }
  std::printf("regret in nats, %d seeds\n%-12s %8s %8s %8s  below state-blind\n", num_seeds,
              "searcher", "mean", "middle", "worst");
  for (const Arm& arm : arms) {
    int below = 0;
    for (std::size_t i = 0; i < arm.regrets.size(); ++i) {
      below += arm.regrets[i] < arms[0].regrets[i] ? 1 : 0;
    }
    std::printf("%-12s %8.4f %8.4f %8.4f  %d of %d\n", arm.name, Mean(arm.regrets),
                MiddleOf(arm.regrets), *std::max_element(arm.regrets.begin(), arm.regrets.end()),
                below, num_seeds);
  }
  return 0;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  const int seeds = argc > 1 ? std::atoi(argv[1]) : 40;
  if (seeds < 1) {
    std::fprintf(stderr, "usage: planning [SEEDS]      SEEDS is a number from 1 on\n");
    return 2;
  }
  return bitpilot::Run(seeds);
}
