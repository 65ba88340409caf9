#include "policies/reward.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "kernels/base/check.h"
#include "policies/class_objective.h"

namespace bitpilot {
namespace {

// Where no figure is below it: uniform 8 bit never has a loss of 0, but a scale must not divide by it.
constexpr double kLeastScale = 1e-3;  // nats

// Linear between readings, constant beyond them.
double Between(const Anchor& anchor, double depth, double AnchorReading::*figure) {
  BITPILOT_CHECK(!anchor.readings.empty());
  const std::vector<AnchorReading>& readings = anchor.readings;
  if (depth <= readings.front().batches) return readings.front().*figure;
  for (std::size_t i = 1; i < readings.size(); ++i) {
    const AnchorReading& before = readings[i - 1];
    const AnchorReading& after = readings[i];
    if (depth < after.batches) {
      const double share = (depth - before.batches) / (after.batches - before.batches);
      return before.*figure + share * (after.*figure - before.*figure);
    }
  }
  return readings.back().*figure;
}

double Baseline(double own_share, double same_weights, double twin) {
  const double share = TwinShare(own_share);
  return (1.0 - share) * same_weights + share * twin;
}

const Measured* FindOutcome(const TrialOutcome& outcome, const ClassId& on) {
  for (const ClassOutcome& one : outcome.classes) {
    if (one.on == on) return std::get_if<Measured>(&one.result);
  }
  return nullptr;
}

double Excess(double ratio, const std::optional<double>& budget) {
  return budget ? std::max(0.0, ratio / *budget - 1.0) : 0.0;
}

}  // namespace

double AnchorLoss(const Anchor& anchor, double depth) {
  return Between(anchor, depth, &AnchorReading::loss);
}

double AnchorError(const Anchor& anchor, double depth) {
  return Between(anchor, depth, &AnchorReading::error);
}

double AnchorLossError(const Anchor& anchor, double depth) {
  return Between(anchor, depth, &AnchorReading::loss_error);
}

const AnchorReading& ReferenceReading(const Anchor& anchor) {
  BITPILOT_CHECK(!anchor.readings.empty());
  if (anchor.of_first_budget == 0) return anchor.readings.back();
  return anchor.readings.at(static_cast<std::size_t>(anchor.of_first_budget) - 1);
}

Reference AnchoredReference(const SearchProblem& problem) {
  const AnchorReading& reading = ReferenceReading(problem.anchor);
  return {.latency_ns = problem.uniform8.latency_ns,
          .loss = reading.loss,
          .accuracy = 1.0 - reading.error};
}

ExcessLoss ExcessOf(const Anchor& anchor, const Scored& score, int depth) {
  const double anchor_error = AnchorLossError(anchor, depth);
  const double of_both =
      std::sqrt(score.loss_error * score.loss_error + anchor_error * anchor_error);
  return {.mean = score.loss - AnchorLoss(anchor, depth),
          .error = score.excess_error.value_or(of_both)};
}

double TwinShare(double own_share) { return own_share + kStays * (1.0 - own_share); }

ExcessLoss ChargeOf(const Anchor& anchor, const Scored& score, int depth) {
  if (!score.same_weights) return ExcessOf(anchor, score, depth);
  const SameWeights& same = *score.same_weights;
  return {.mean = score.loss - Baseline(same.own_share, same.loss, AnchorLoss(anchor, depth)),
          .error = same.charge_error};
}

double AnchoredError(const Anchor& anchor, const Scored& score, int depth) {
  double baseline = AnchorError(anchor, depth);
  if (score.same_weights) {
    const SameWeights& same = *score.same_weights;
    const double error = 1.0 - static_cast<double>(same.correct) / score.total;
    baseline = Baseline(same.own_share, error, baseline);
  }
  const double excess = score.error() - baseline;
  return std::clamp(excess + ReferenceReading(anchor).error, 0.0, 1.0);
}

double UtilityOf(const SearchProblem& problem, const UtilityTerms& terms) {
  const double scale = std::max(AnchorLoss(problem.anchor, 0.0), kLeastScale);
  const Budgets& budgets = problem.budgets;
  double utility = -terms.excess_loss / scale;
  utility -= terms.latency_ratio + terms.energy_ratio.value_or(0.0);
  if (budgets.min_accuracy) {
    const double missing = std::max(0.0, *budgets.min_accuracy - terms.accuracy);
    utility -= kAccuracyPenalty * missing * missing;
  }
  utility -= kBudgetPenalty * Excess(terms.latency_ratio, budgets.max_latency_ratio);
  if (terms.energy_ratio) {
    utility -= kBudgetPenalty * Excess(*terms.energy_ratio, budgets.max_energy_ratio);
  }
  return utility;
}

std::optional<double> Utility(const SearchProblem& problem, const TrialOutcome& outcome,
                              const ClassId& on) {
  const Measured* measured = FindOutcome(outcome, on);
  if (measured == nullptr || !outcome.score) return std::nullopt;
  std::optional<double> energy;
  if (problem.energy_objective != EnergyObjective::kNone) {
    energy = problem.energy_objective == EnergyObjective::kMeasured ? measured->energy_ratio
                                                                    : measured->model_energy_ratio;
    if (!energy) return std::nullopt;
  }
  const int depth = outcome.at.depth;
  return UtilityOf(problem, {.excess_loss = ChargeOf(problem.anchor, *outcome.score, depth).mean,
                             .accuracy = 1.0 - AnchoredError(problem.anchor, *outcome.score, depth),
                             .latency_ratio = measured->ratio,
                             .energy_ratio = energy});
}

std::optional<double> JointUtility(const SearchProblem& problem, const TrialOutcome& outcome) {
  double sum = 0.0;
  double least = 0.0;
  int count = 0;
  for (const ClassOutcome& one : outcome.classes) {
    if (!Counts(problem.class_objective, one.on)) continue;
    if (const std::optional<double> utility = Utility(problem, outcome, one.on)) {
      sum += *utility;
      least = count == 0 ? *utility : std::min(least, *utility);
      ++count;
    }
  }
  if (!JointOf(problem.class_objective, outcome) || count == 0) return std::nullopt;
  return problem.class_objective.kind == ClassObjective::Kind::kWorst ? least : sum / count;
}

}  // namespace bitpilot
