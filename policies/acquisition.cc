#include "policies/acquisition.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace bitpilot {
namespace {

// Searching for the best prediction finds those that err on the fast side: aim this much below the
// limit.
constexpr double kLatencyMargin = 0.01;

}  // namespace

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
  double fastest = std::numeric_limits<double>::infinity();
  std::vector<Objectives> outcomes;
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < history.size(); ++i) {
    if (history[i].status == TransitionStatus::kMeasured) {
      const Objectives outcome = MeasuredObjectives(problem, history[i]);
      fastest = std::min(fastest, outcome.latency_ratio);
      if (KeepsBudgets(budgets_, outcome)) {
        outcomes.push_back(outcome);
        indices.push_back(i);
      }
    }
  }
  if (budgets_.max_latency_ratio && fastest > *budgets_.max_latency_ratio && !history.empty()) {
    budgets_.max_latency_ratio = fastest;
  }
  const auto inside = [](const Objectives& point) {
    return point.error_rate < kHypervolumeReference.error_rate &&
           point.latency_ratio < kHypervolumeReference.latency_ratio;
  };
  if (std::none_of(outcomes.begin(), outcomes.end(), inside)) {
    reference_.error_rate = 1.0;
  }
  for (const std::size_t member : ParetoFront(outcomes)) {
    front_.push_back(indices[member]);
    const Objectives& point = outcomes[member];
    if (point.error_rate < reference_.error_rate &&
        point.latency_ratio < reference_.latency_ratio) {
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
  const Objectives cautious = {.error_rate = outcome.error_rate,
                               .latency_ratio = outcome.latency_ratio * (1.0 + kLatencyMargin)};
  if (!KeepsBudgets(budgets_, cautious)) {
    return 0.0;
  }
  double area = 0.0;
  double left = outcome.latency_ratio;
  double ceiling = reference_.error_rate;
  for (const Objectives& member : front_points_) {
    if (member.latency_ratio > left) {
      area += (member.latency_ratio - left) * std::max(0.0, ceiling - outcome.error_rate);
      left = member.latency_ratio;
    }
    ceiling = member.error_rate;
  }
  const double last = std::max(0.0, reference_.latency_ratio - left);
  return area + last * std::max(0.0, ceiling - outcome.error_rate);
}

}  // namespace bitpilot
