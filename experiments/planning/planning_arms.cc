#include "experiments/planning/planning_arms.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "policies/gaussian_belief.h"
#include "policies/index.h"
#include "policies/lookahead.h"
#include "policies/loss_belief.h"
#include "policies/random_stream.h"
#include "policies/reading_errors.h"

namespace bitpilot {
namespace {

// Worlds drawn for a choice that was not read yet, before a search on untrained weights ends.
constexpr int kDrawsOfNewChoice = 1000;

// A model of losses by choices alone: one unknown for each width of each variable, around `share` of
// what was probed.
GaussianBelief ChoiceModel(const PlanningToy& toy, double share) {
  std::vector<double> mean;
  std::vector<double> spread;
  for (const DecisionVariable& variable : toy.variables()) {
    for (const double sensitivity : variable.sensitivity) {
      mean.push_back(share * sensitivity);
      spread.push_back(0.5 * sensitivity + 0.004);
    }
  }
  return {std::move(mean), spread};
}

SparseFeatures ChoiceFeatures(const WidthIndex& index, const Choice& choice) {
  SparseFeatures features;
  for (int i = 0; i < index.num_variables(); ++i) {
    features.emplace_back(index.Of(i, choice[AsIndex(i)]), 1.0);
  }
  return features;
}

double FinalLoss(const PlanningToy& toy, const PlanningToy::Weights& weights, const Choice& answer,
                 int batches) {
  return toy.Loss(toy.Train(weights, answer, batches + PlanningToy::kFinalBatches), answer);
}

double NegativeLowest(const std::vector<double>& losses) {
  return -*std::min_element(losses.begin(), losses.end());
}

// The 24 of `pool` that may well be the best.
std::vector<Choice> MostPromising(const LossBelief& belief, const TrainedState& state,
                                  const SearchLeft& left, const ReadingErrorFunction& loss_error,
                                  std::vector<Choice> pool) {
  constexpr std::size_t kTargets = 24;
  std::sort(pool.begin(), pool.end());
  pool.erase(std::unique(pool.begin(), pool.end()), pool.end());
  const Lookahead lookahead(belief, state, pool, left, loss_error, NegativeLowest);
  const std::vector<double> losses = lookahead.FinalLosses(state);
  const std::vector<double>& weights = lookahead.weights();
  std::vector<std::size_t> order(pool.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return weights[a] != weights[b] ? weights[a] > weights[b] : losses[a] < losses[b];
  });
  order.resize(std::min(order.size(), kTargets));
  std::vector<Choice> best;
  for (const std::size_t i : order) best.push_back(pool[i]);
  return best;
}

// Position of a tau, drawn by how likely it is.
std::size_t DrawTau(const LossBelief& belief, RandomStream& random) {
  const auto weights = belief.TauWeights();
  double rest = random.NextUniform();
  std::size_t tau = 0;
  while (tau + 1 < weights.size() && rest >= weights[tau]) rest -= weights[tau++];
  return tau;
}

// Loss at the end of each width of each variable if `world` holds, theta then omega, and all `batches`
// that are left train at that width: [widths].
std::vector<double> FinalScores(const LossBelief& belief, const TrainedState& state,
                                std::size_t tau, const std::vector<double>& world, int batches) {
  const WidthIndex& index = belief.index();
  std::vector<double> scores(AsIndex(index.num_widths()));
  for (int i = 0; i < index.num_variables(); ++i) {
    for (const int width : index.widths(i)) {
      Choice only(AsIndex(index.num_variables()), 8);
      only[AsIndex(i)] = width;
      const Adaptation after = state[tau].After(only, batches, kAdaptationTaus[tau]);
      const std::size_t at = AsIndex(index.Of(i, width));
      scores[at] =
          world[at] + world[AsIndex(index.num_widths()) + at] * after.Missing(only)[AsIndex(i)];
    }
  }
  return scores;
}

// Best choices, after all that is left, of worlds that the belief thinks possible: the first one is what
// it expects with the likeliest tau.
void AddTargets(const PlanningToy& toy, const LossBelief& belief, const TrainedState& state,
                int batches, RandomStream& random, std::vector<Choice>* pool) {
  constexpr int kDraws = 24;
  const auto weights = belief.TauWeights();
  const auto likeliest =
      static_cast<std::size_t>(std::max_element(weights.begin(), weights.end()) - weights.begin());
  for (int draw = 0; draw < kDraws; ++draw) {
    const std::size_t tau = draw < kDraws / 2 ? likeliest : DrawTau(belief, random);
    const std::vector<double> world =
        draw == 0 ? belief.Given(tau).mean() : belief.Given(tau).Sample(random);
    pool->push_back(toy.Best(FinalScores(belief, state, tau, world, batches)));
  }
}

// The choice of lowest expected loss once `batches` have trained it.
Choice LowestMean(const PlanningToy& toy, const LossBelief& belief, const TrainedState& state,
                  int batches) {
  const auto likely = belief.TauWeights();
  std::vector<double> scores(AsIndex(belief.index().num_widths()), 0.0);
  for (std::size_t tau = 0; tau < likely.size(); ++tau) {
    const std::vector<double> of_tau =
        FinalScores(belief, state, tau, belief.Given(tau).mean(), batches);
    for (std::size_t i = 0; i < scores.size(); ++i) scores[i] += likely[tau] * of_tau[i];
  }
  return toy.Best(scores);
}

}  // namespace

double NoReadingLoss(const PlanningToy& toy, std::uint64_t /*seed*/) {
  std::vector<double> probed;
  for (const DecisionVariable& variable : toy.variables()) {
    probed.insert(probed.end(), variable.sensitivity.begin(), variable.sensitivity.end());
  }
  return FinalLoss(toy, toy.Start(), toy.Best(probed),
                   PlanningToy::kDecisions * PlanningToy::kBatchesPerStep);
}

double StateBlindLoss(const PlanningToy& toy, std::uint64_t seed) {
  RandomStream random(seed, "state-blind");
  GaussianBelief model = ChoiceModel(toy, 0.7);
  PlanningToy::Weights weights = toy.Start();
  for (int t = 0; t < PlanningToy::kDecisions; ++t) {
    const Choice choice = toy.Best(model.Sample(random));
    weights = toy.Train(weights, choice, PlanningToy::kBatchesPerStep);
    // Training moves all losses: a reading is worth less than it would be on weights that stand still.
    const PlanningToy::Reading reading = toy.Read(weights, choice);
    const double noise = reading.error + 0.02;
    model.Observe(ChoiceFeatures(toy.index(), choice), reading.excess, noise * noise);
  }
  return FinalLoss(toy, weights, toy.Best(model.mean()), /*batches=*/0);
}

double TwoStageLoss(const PlanningToy& toy, std::uint64_t seed) {
  RandomStream random(seed, "two-stage");
  GaussianBelief model = ChoiceModel(toy, 1.0);
  const PlanningToy::Weights weights = toy.Start();
  std::set<Choice> read;
  for (int t = 0; t < PlanningToy::kDecisions; ++t) {
    Choice choice = toy.Best(model.Sample(random));
    // The weights stand still: what was read would be read again as it was.
    for (int draw = 1; read.contains(choice) && draw < kDrawsOfNewChoice; ++draw) {
      choice = toy.Best(model.Sample(random));
    }
    if (!read.insert(choice).second) break;
    const PlanningToy::Reading reading = toy.Read(weights, choice);
    model.Observe(ChoiceFeatures(toy.index(), choice), reading.excess,
                  reading.error * reading.error);
  }
  return FinalLoss(toy, weights, toy.Best(model.mean()),
                   PlanningToy::kDecisions * PlanningToy::kBatchesPerStep);
}

double BeliefLoss(const PlanningToy& toy, std::uint64_t seed) {
  RandomStream random(seed, "belief");
  LossBelief belief(toy.variables());
  TrainedState state = belief.Start();
  PlanningToy::Weights weights = toy.Start();
  int left = PlanningToy::kDecisions * PlanningToy::kBatchesPerStep + PlanningToy::kFinalBatches;
  for (int t = 0; t < PlanningToy::kDecisions; ++t) {
    const std::size_t tau = DrawTau(belief, random);
    const Choice choice =
        toy.Best(FinalScores(belief, state, tau, belief.Given(tau).Sample(random), left));
    weights = toy.Train(weights, choice, PlanningToy::kBatchesPerStep);
    state = belief.After(state, choice, PlanningToy::kBatchesPerStep);
    left -= PlanningToy::kBatchesPerStep;
    const PlanningToy::Reading reading = toy.Read(weights, choice);
    belief.Observe(state, choice, reading.excess, reading.error);
  }
  return FinalLoss(toy, weights, LowestMean(toy, belief, state, left), /*batches=*/0);
}

double LookaheadLoss(const PlanningToy& toy, std::uint64_t seed) {
  constexpr std::ptrdiff_t kSteps = 8;  // targets looked at as what to train next
  // What a step that trains must be worth more: it cannot be taken back. Nats.
  constexpr double kLeastGainOfTraining = 0.003;
  RandomStream random(seed, "lookahead");
  LossBelief belief(toy.variables());
  ReadingErrors errors;
  const ReadingErrorFunction loss_error = [&errors](double excess) {
    return errors.Expected(excess);
  };
  TrainedState state = belief.Start();
  PlanningToy::Weights weights = toy.Start();
  SearchLeft left{.readings = PlanningToy::kDecisions,
                  .search_batches = PlanningToy::kDecisions * PlanningToy::kBatchesPerStep,
                  .final_batches = PlanningToy::kFinalBatches};
  std::vector<Choice> targets;
  std::set<Choice> read;  // on the weights as they are
  std::optional<Choice> trained_at;
  for (; left.readings > 0; --left.readings) {
    AddTargets(toy, belief, state, left.search_batches + PlanningToy::kFinalBatches, random,
               &targets);
    targets = MostPromising(belief, state, left, loss_error, std::move(targets));
    const Lookahead lookahead(belief, state, targets, left, loss_error, NegativeLowest);
    std::vector<Choice> probes;
    if (trained_at) probes = ProbesOf(*trained_at, targets, belief.index());
    const Outlook reading = lookahead.OutlookOfReading(state, read, probes);
    double highest = Lookahead::Expect(reading, NegativeLowest) + kLeastGainOfTraining;
    std::optional<Choice> what = reading.read_first;
    int batches = 0;
    std::vector<Choice> steps_at(targets.begin(),
                                 targets.begin() + std::min(std::ssize(targets), kSteps));
    steps_at.push_back(NarrowestOf(targets));
    for (const Choice& at : steps_at) {
      for (const int steps : {1, 2, 4, 8}) {
        const int trained = steps * PlanningToy::kBatchesPerStep;
        if (trained > left.search_batches) break;
        const Outlook outlook = lookahead.OutlookOf(state, at, trained, read, probes);
        const double value = Lookahead::Expect(outlook, NegativeLowest);
        if (value <= highest) continue;
        highest = value;
        what = outlook.read_first ? outlook.read_first : at;
        batches = outlook.read_first ? 0 : trained;
      }
    }
    if (!what) break;  // all is known
    weights = toy.Train(weights, *what, batches);
    state = belief.After(state, *what, batches);
    left.search_batches -= batches;
    if (batches > 0) {
      read.clear();
      trained_at = *what;
    }
    read.insert(*what);
    const PlanningToy::Reading reading_there = toy.Read(weights, *what);
    belief.Observe(state, *what, reading_there.excess,
                   errors.Take(reading_there.excess, reading_there.error));
  }
  const Choice answer =
      LowestMean(toy, belief, state, left.search_batches + PlanningToy::kFinalBatches);
  return FinalLoss(toy, weights, answer, left.search_batches);
}

}  // namespace bitpilot
