#include "policies/transition.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/bit_assignment.h"
#include "policies/reward.h"

namespace bitpilot {
namespace {

// Standard deviations in the half-width of a 95 % interval.
constexpr double kNormal95 = 1.96;

constexpr double kDisturbed = 2.0;

// Mean of what came, absent if nothing did.
class Mean {
 public:
  void Add(double value) {
    sum_ += value;
    ++count_;
  }
  std::optional<double> value() const {
    if (count_ == 0) return std::nullopt;
    return sum_ / count_;
  }

 private:
  double sum_ = 0.0;
  int count_ = 0;
};

template <typename T>
bool Any(const TrialOutcome& outcome) {
  return std::any_of(outcome.classes.begin(), outcome.classes.end(),
                     [](const ClassOutcome& one) { return std::holds_alternative<T>(one.result); });
}

TransitionStatus StatusOf(const TrialOutcome& outcome) {
  if (!outcome.score || !std::isfinite(outcome.score->loss)) return TransitionStatus::kDiverged;
  if (outcome.classes.empty()) return TransitionStatus::kUnmeasured;
  if (Any<Measured>(outcome)) return TransitionStatus::kMeasured;
  return Any<CandidateFailed>(outcome) ? TransitionStatus::kFailed : TransitionStatus::kUnavailable;
}

void AddCosts(const SearchProblem& problem, const TrialOutcome& outcome, Transition& transition) {
  Mean ratio, low, high, deviation, energy, energy_uncertainty, model_energy;
  for (const ClassOutcome& one : outcome.classes) {
    const auto* measured = std::get_if<Measured>(&one.result);
    if (measured == nullptr) continue;
    ratio.Add(measured->ratio);
    low.Add(measured->ratio_low);
    high.Add(measured->ratio_high);
    deviation.Add(LatencyDeviation(*measured));
    if (measured->energy_ratio) {
      energy.Add(*measured->energy_ratio);
      energy_uncertainty.Add(measured->energy_ratio_uncertainty);
    }
    if (measured->model_energy_ratio) model_energy.Add(*measured->model_energy_ratio);
  }
  const double scale_ns = problem.uniform8.latency_ns;
  transition.latency_ns = ratio.value().value() * scale_ns;
  transition.latency_low_ns = low.value().value() * scale_ns;
  transition.latency_high_ns = high.value().value() * scale_ns;
  transition.latency_deviation_ns = deviation.value().value() * scale_ns;
  transition.energy_ratio = energy.value();
  transition.energy_ratio_uncertainty = energy_uncertainty.value().value_or(0.0);
  transition.model_energy_ratio = model_energy.value();
}

}  // namespace

double LatencyDeviation(const Measured& measured) {
  const double deviation = 0.5 * (measured.ratio_high - measured.ratio_low) / kNormal95;
  return measured.is_noisy ? kDisturbed * deviation : deviation;
}

double EnergyDeviation(double uncertainty) { return uncertainty / kNormal95; }

Transition ToTransition(const SearchProblem& problem, const Trial& trial,
                        const TrialOutcome& outcome) {
  Transition transition;
  transition.choice = trial.what.choice;
  transition.status = StatusOf(outcome);
  transition.weight_bytes = WeightBytes(problem.topology, ToAssignment(problem, trial.what.choice));
  if (transition.status == TransitionStatus::kMeasured) AddCosts(problem, outcome, transition);
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
