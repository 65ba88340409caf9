#include "policies/acquisition.h"

#include <algorithm>
#include <utility>

namespace bitpilot {

bool KeepsBudgets(const Budgets& budgets, const Objectives& outcome) {
  const bool fast_enough =
      !budgets.max_latency_ratio || outcome.latency_ratio <= *budgets.max_latency_ratio;
  return fast_enough &&
         (!budgets.min_accuracy || outcome.error_rate <= 1.0 - *budgets.min_accuracy);
}

Objectives MeasuredObjectives(const SearchProblem& problem, const Transition& transition) {
  return {.error_rate = 1.0 - transition.accuracy,
          .latency_ratio = transition.latency_ns.value() / problem.uniform8.latency_ns};
}

Acquisition::Acquisition(const SearchProblem& problem, const CostModel& cost,
                         const std::vector<Transition>& history, std::vector<World> worlds)
    : budgets_(problem.budgets), cost_(cost), worlds_(std::move(worlds)) {
  std::vector<Objectives> outcomes;
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (history[i].status == TransitionStatus::kMeasured &&
        KeepsBudgets(budgets_, MeasuredObjectives(problem, history[i]))) {
      outcomes.push_back(MeasuredObjectives(problem, history[i]));
      indices.push_back(i);
    }
  }
  for (const std::size_t member : ParetoFront(outcomes)) {
    front_.push_back(indices[member]);
    const Objectives& point = outcomes[member];
    if (point.error_rate < kHypervolumeReference.error_rate &&
        point.latency_ratio < kHypervolumeReference.latency_ratio) {
      front_points_.push_back(point);
    }
  }
}

double Acquisition::ExpectedImprovement(const Choice& choice) const {
  const std::vector<double> operation_ratios = cost_.OperationLatencyRatios(choice);
  double sum = 0.0;
  for (const World& world : worlds_) {
    sum += Improvement(world.Predict(choice, operation_ratios));
  }
  return sum / static_cast<double>(worlds_.size());
}

// The part of the point's rectangle that the front leaves free: strips between the latencies of its
// members, each below the error rate of the member at its left.
double Acquisition::Improvement(const Objectives& outcome) const {
  if (!KeepsBudgets(budgets_, outcome)) {
    return 0.0;
  }
  double area = 0.0;
  double left = outcome.latency_ratio;
  double ceiling = kHypervolumeReference.error_rate;
  for (const Objectives& member : front_points_) {
    if (member.latency_ratio > left) {
      area += (member.latency_ratio - left) * std::max(0.0, ceiling - outcome.error_rate);
      left = member.latency_ratio;
    }
    ceiling = member.error_rate;
  }
  const double last = std::max(0.0, kHypervolumeReference.latency_ratio - left);
  return area + last * std::max(0.0, ceiling - outcome.error_rate);
}

}  // namespace bitpilot
