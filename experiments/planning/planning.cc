// How much it pays to plan with the state of the weights: regrets of five searchers on toys whose optimum is
// known by trying every choice, where the law that the planner assumes holds, and where it does not.
//
//   planning [FIRST_SEED LAST_SEED]        4001 4040 by default; about two seconds a seed
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <vector>

#include "experiments/mean_interval.h"
#include "experiments/planning/planning_arms.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

struct Arm {
  const char* name;
  double (*run)(const PlanningToy& toy, std::uint64_t seed);
};
constexpr Arm kArms[] = {{"no reading", NoReadingLoss},
                         {"state-blind", StateBlindLoss},
                         {"two-stage", TwoStageLoss},
                         {"belief without lookahead", BeliefLoss},
                         {"lookahead", LookaheadLoss}};
constexpr std::size_t kRival = 2;  // two-stage

void PrintRow(const char* name, const std::vector<double>& regrets,
              const std::vector<double>& rival) {
  std::vector<double> differences;
  int below = 0;
  int above = 0;
  for (std::size_t i = 0; i < regrets.size(); ++i) {
    differences.push_back(regrets[i] - rival[i]);
    below += regrets[i] < rival[i] ? 1 : 0;
    above += regrets[i] > rival[i] ? 1 : 0;
  }
  std::printf("| %s | %.4f | %.4f | %.4f | %+.4f +- %.4f | %d, %d |\n", name, MeanOf(regrets),
              Median(regrets), *std::max_element(regrets.begin(), regrets.end()),
              MeanOf(differences), HalfWidth95(differences), below, above);
}

const char* NameOf(PlanningLaw law) {
  switch (law) {
    case PlanningLaw::kAssumed:
      return "as is assumed";
    case PlanningLaw::kSixBits:
      return "as is assumed, half of the variables of 4, 6 or 8 bits";
    case PlanningLaw::kOther:
      break;
  }
  return "otherwise than is assumed";
}

void Run(PlanningLaw law, std::uint64_t first_seed, std::uint64_t last_seed) {
  std::vector<std::vector<double>> regrets(std::size(kArms));
  for (std::uint64_t seed = first_seed; seed <= last_seed; ++seed) {
    const PlanningToy toy(seed, law);
    const double optimum = toy.OptimalLoss();
    for (std::size_t arm = 0; arm < regrets.size(); ++arm) {
      regrets[arm].push_back(kArms[arm].run(toy, seed) - optimum);
    }
  }
  std::printf("\nlosses, weights and readings behave %s, seeds %llu to %llu; regret in nats\n\n",
              NameOf(law), static_cast<unsigned long long>(first_seed),
              static_cast<unsigned long long>(last_seed));
  std::printf(
      "| searcher | mean | middle | worst | mean less two-stage's | below, above it |\n"
      "|---|---|---|---|---|---|\n");
  for (std::size_t arm = 0; arm < regrets.size(); ++arm) {
    PrintRow(kArms[arm].name, regrets[arm], regrets[kRival]);
  }
  std::fflush(stdout);
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  const long first = argc == 3 ? std::atol(argv[1]) : 4001;
  const long last = argc == 3 ? std::atol(argv[2]) : 4040;
  if ((argc != 1 && argc != 3) || first < 1 || last <= first) {
    std::fprintf(stderr, "usage: planning [FIRST_SEED LAST_SEED], two seeds or more, from 1 on\n");
    return 2;
  }
  for (const auto law : {bitpilot::PlanningLaw::kAssumed, bitpilot::PlanningLaw::kSixBits,
                         bitpilot::PlanningLaw::kOther}) {
    bitpilot::Run(law, static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(last));
  }
}
