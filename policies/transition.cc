#include "policies/transition.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/bit_assignment.h"
#include "policies/class_objective.h"
#include "policies/reward.h"

namespace bitpilot {
namespace {

// Standard deviations in the half-width of a 95 % interval.
constexpr double kNormal95 = 1.96;

constexpr double kDisturbed = 2.0;

// On a class that the objective looks at.
bool AnyFailed(const ClassObjective& objective, const TrialOutcome& outcome) {
  return std::any_of(outcome.classes.begin(), outcome.classes.end(), [&](const ClassOutcome& one) {
    return Counts(objective, one.on) && std::holds_alternative<CandidateFailed>(one.result);
  });
}

// Joint figures there are exactly if it is kMeasured.
TransitionStatus StatusOf(const ClassObjective& objective, const TrialOutcome& outcome,
                          bool has_figures) {
  if (!outcome.score || !std::isfinite(outcome.score->loss)) return TransitionStatus::kDiverged;
  if (outcome.classes.empty()) return TransitionStatus::kUnmeasured;
  if (has_figures) return TransitionStatus::kMeasured;
  return AnyFailed(objective, outcome) ? TransitionStatus::kFailed : TransitionStatus::kUnavailable;
}

void AddCosts(const SearchProblem& problem, const JointMeasured& joint, Transition& transition) {
  const double scale_ns = problem.uniform8.latency_ns;
  transition.latency_ns = joint.figures.ratio * scale_ns;
  transition.latency_low_ns = joint.figures.ratio_low * scale_ns;
  transition.latency_high_ns = joint.figures.ratio_high * scale_ns;
  transition.latency_deviation_ns = joint.latency_deviation * scale_ns;
  transition.energy_ratio = joint.figures.energy_ratio;
  transition.energy_ratio_uncertainty = joint.figures.energy_ratio_uncertainty;
  transition.model_energy_ratio = joint.figures.model_energy_ratio;
}

}  // namespace

double LatencyDeviation(const Measured& measured) {
  const double deviation = 0.5 * (measured.ratio_high - measured.ratio_low) / kNormal95;
  return measured.is_noisy ? kDisturbed * deviation : deviation;
}

double EnergyDeviation(double uncertainty) { return uncertainty / kNormal95; }

bool IsWithoutAnyBoard(const TrialOutcome& outcome) {
  return std::none_of(outcome.classes.begin(), outcome.classes.end(), [](const ClassOutcome& one) {
    const auto* away = std::get_if<BoardUnavailable>(&one.result);
    return away == nullptr || away->predicted_ratio.has_value();
  });
}

Transition ToTransition(const SearchProblem& problem, const Trial& trial,
                        const TrialOutcome& outcome) {
  Transition transition;
  transition.choice = trial.what.choice;
  const std::optional<JointMeasured> joint = JointOf(problem.class_objective, outcome);
  transition.status = StatusOf(problem.class_objective, outcome, joint.has_value());
  transition.weight_bytes = WeightBytes(problem.topology, ToAssignment(problem, trial.what.choice));
  if (transition.status == TransitionStatus::kMeasured) AddCosts(problem, *joint, transition);
  if (transition.status != TransitionStatus::kDiverged) {
    const int depth = outcome.at.depth;
    const ExcessLoss charge = ChargeOf(problem.anchor, *outcome.score, depth);
    transition.loss = charge.mean + AnchoredReference(problem).loss;
    transition.loss_deviation = charge.error;
    transition.accuracy = 1.0 - AnchoredError(problem.anchor, *outcome.score, depth);
  }
  return transition;
}

}  // namespace bitpilot
