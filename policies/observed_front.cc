#include "policies/observed_front.h"

#include <algorithm>

namespace bitpilot {

std::optional<double> ObjectiveEnergy(const SearchProblem& problem, const Transition& transition) {
  switch (problem.energy_objective) {
    case EnergyObjective::kNone:
      return std::nullopt;
    case EnergyObjective::kMeasured:
      return transition.energy_ratio;
    case EnergyObjective::kModel:
      return transition.model_energy_ratio;
  }
  return std::nullopt;
}

bool HasObjectives(const SearchProblem& problem, const Transition& transition) {
  return transition.status == TransitionStatus::kMeasured &&
         (problem.energy_objective == EnergyObjective::kNone ||
          ObjectiveEnergy(problem, transition).has_value());
}

bool KeepsBudgets(const Budgets& budgets, const Objectives& outcome, std::int64_t weight_bytes) {
  return KeepsBudgets(budgets, BudgetedFigures{.latency_ratio = outcome.latency_ratio,
                                               .energy_ratio = outcome.energy_ratio,
                                               .weight_bytes = weight_bytes,
                                               .error_rate = outcome.error_rate});
}

double ObjectiveHypervolume(const SearchProblem& problem, std::span<const Objectives> points) {
  return problem.energy_objective == EnergyObjective::kNone ? Hypervolume(points)
                                                            : EnergyHypervolume(points);
}

Objectives MeasuredObjectives(const SearchProblem& problem, const Transition& transition) {
  return {.error_rate = 1.0 - transition.accuracy,
          .latency_ratio = transition.latency_ns.value() / problem.uniform8.latency_ns,
          .energy_ratio = ObjectiveEnergy(problem, transition).value_or(0.0)};
}

void ObservedFront::Take(const std::vector<Transition>& history) {
  for (; num_taken_ < history.size(); ++num_taken_) {
    const Transition& transition = history[num_taken_];
    if (!HasObjectives(problem_, transition)) continue;
    const Objectives outcome = MeasuredObjectives(problem_, transition);
    fastest_ = std::min(fastest_, outcome.latency_ratio);
    thriftiest_ = std::min(thriftiest_, outcome.energy_ratio);
    if (KeepsBudgets(problem_.budgets, outcome)) front_.Add(num_taken_, outcome);
  }
}

}  // namespace bitpilot
