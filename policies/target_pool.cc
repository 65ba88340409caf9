#include "policies/target_pool.h"

#include <algorithm>
#include <cstddef>

#include "policies/index.h"

namespace bitpilot {
namespace {

// Of a budget: targets that are not measured must keep it with something to spare.
constexpr double kWithinBudget[] = {0.97, 0.985, 1.0};
// Without a budget: what a front wants lies where losses rise, whose place is not known before, so rungs
// are close, and the caller keeps what adds most.
constexpr int kRungs = 24;

// Doublings of the price of a weight's bit, until weight bytes keep their budget.
constexpr int kMaxDoublings = 24;
constexpr double kFirstPricePerByte = 1e-8;  // nats

// What each width of each variable loses in `world` (theta, then omega) after `batches`, each counted
// by its rate, at that width: [widths].
std::vector<double> LossesIn(const std::vector<double>& world, const Adaptation& adaptation,
                             const WidthIndex& index, double batches, double tau) {
  std::vector<double> losses(AsIndex(index.num_widths()));
  std::size_t most = 0;
  for (int i = 0; i < index.num_variables(); ++i) most = std::max(most, index.widths(i).size());
  Choice choice(AsIndex(index.num_variables()));
  for (std::size_t position = 0; position < most; ++position) {  // All variables at once.
    for (int i = 0; i < index.num_variables(); ++i) {
      const std::vector<int>& widths = index.widths(i);
      choice[AsIndex(i)] = widths[std::min(position, widths.size() - 1)];
    }
    const std::vector<double> missing = adaptation.After(choice, batches, tau).Missing(choice);
    for (int i = 0; i < index.num_variables(); ++i) {
      const std::size_t at = AsIndex(index.Of(i, choice[AsIndex(i)]));
      losses[at] = world[at] + world[AsIndex(index.num_widths()) + at] * missing[AsIndex(i)];
    }
  }
  return losses;
}

std::size_t LikeliestTau(const LossBelief& belief) {
  const auto weights = belief.TauWeights();
  return static_cast<std::size_t>(std::max_element(weights.begin(), weights.end()) -
                                  weights.begin());
}

std::size_t DrawTau(const LossBelief& belief, RandomStream& random) {
  const auto weights = belief.TauWeights();
  double rest = random.NextUniform();
  std::size_t tau = 0;
  while (tau + 1 < weights.size() && rest >= weights[tau]) rest -= weights[tau++];
  return tau;
}

// Costs that the budgets limit, or that the front is over; at most 1 keeps the budgets in the mean.
CostFactors FactorsOf(const SearchProblem& problem, const World& world) {
  const Budgets& budgets = problem.budgets;
  const bool energy = problem.energy_objective != EnergyObjective::kNone;
  const bool by_energy = energy && (budgets.max_energy_ratio || !HasCostBudget(problem));
  const bool by_latency = budgets.max_latency_ratio || !HasCostBudget(problem) || !by_energy;
  const double share = by_latency && by_energy ? 0.5 : 1.0;
  CostFactors factors;
  const auto add = [&](double fixed, const std::vector<double>& of, double budget) {
    factors.fixed += share / budget * fixed;
    std::vector<double> scaled = of;
    for (double& factor : scaled) factor *= share / budget;
    return scaled;
  };
  if (by_latency) {
    factors.latency = add(world.fixed_latency_ratio, world.latency_factor,
                          budgets.max_latency_ratio.value_or(1.0));
  }
  if (by_energy) {
    factors.energy =
        add(world.fixed_energy_ratio, world.energy_factor, budgets.max_energy_ratio.value_or(1.0));
  }
  return factors;
}

std::vector<double> LimitsOf(const SearchProblem& problem, const WidthLadder& ladder,
                             const CostFactors& factors) {
  const double cheapest = ladder.CostOf(ladder.Cheapest(factors), factors);
  std::vector<double> limits;
  if (HasCostBudget(problem)) {
    for (const double share : kWithinBudget) limits.push_back(std::max(share, cheapest));
    return limits;
  }
  const double dearest =
      std::max(ladder.CostOf(UniformChoice(problem, 8), factors), 1.0001 * cheapest);
  for (int rung = 0; rung <= kRungs; ++rung) {
    limits.push_back(cheapest + (dearest - cheapest) * rung / kRungs);
  }
  return limits;
}

bool KeepsBytes(const SearchProblem& problem, const CostModel& cost, const Choice& choice) {
  const auto& limit = problem.budgets.max_weight_bytes;
  return !limit || cost.Predict(choice).weight_bytes <= *limit;
}

// `losses`, each byte of weights costing `price` nats.
std::vector<double> WithBytePrice(std::vector<double> losses, const WidthIndex& index,
                                  const CostModel& cost, double price) {
  for (int i = 0; i < index.num_variables(); ++i) {
    for (const int width : index.widths(i)) {
      losses[AsIndex(index.Of(i, width))] +=
          price * static_cast<double>(cost.NumWeights(i)) * width / 8.0;
    }
  }
  return losses;
}

}  // namespace

std::vector<Choice> DrawTargets(const SearchProblem& problem, const CostModel& cost,
                                const WidthLadder& ladder, const LossBelief& belief,
                                const TrainedState& state, const SearchLeft& left,
                                const Surrogate& surrogate, int worlds, RandomStream& random) {
  const double batches =
      left.share_of_rest * left.counted(0, left.search_batches) + left.final_batches;
  std::vector<Choice> targets;
  double price = 0.0;
  for (int draw = 0; draw < worlds; ++draw) {
    const std::size_t tau = draw == 0 ? LikeliestTau(belief) : DrawTau(belief, random);
    const std::vector<double> world =
        draw == 0 ? belief.Given(tau).mean() : belief.Given(tau).Sample(random);
    const CostFactors factors =
        FactorsOf(problem, draw == 0 ? surrogate.MeanWorld() : surrogate.SampleWorld(random));
    const std::vector<double> limits = LimitsOf(problem, ladder, factors);
    const std::vector<double> losses =
        LossesIn(world, state[tau], belief.index(), batches, kAdaptationTaus[tau]);
    for (int doubling = 0;; ++doubling) {
      const std::vector<Choice> best =
          ladder.Best(WithBytePrice(losses, belief.index(), cost, price), factors, limits);
      const auto kept = std::count_if(best.begin(), best.end(), [&](const Choice& choice) {
        return KeepsBytes(problem, cost, choice);
      });
      if (kept == std::ssize(best) || doubling == kMaxDoublings) {
        targets.insert(targets.end(), best.begin(), best.end());
        break;
      }
      price = price == 0.0 ? kFirstPricePerByte : 2.0 * price;
    }
  }
  std::erase_if(targets, [&](const Choice& choice) { return !KeepsBytes(problem, cost, choice); });
  return targets;
}

}  // namespace bitpilot
