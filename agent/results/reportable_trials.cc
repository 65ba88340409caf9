#include "agent/results/reportable_trials.h"

#include <algorithm>
#include <span>

#include "policies/observed_front.h"

namespace bitpilot {

void ReportableTrials::Take(const std::vector<ProposalEvent>& proposals,
                            const std::vector<TransitionEvent>& transitions) {
  for (; num_taken_ < transitions.size(); ++num_taken_) {
    const Transition& transition = transitions[num_taken_].transition;
    if (transition.status != TransitionStatus::kMeasured) continue;
    TakeMeasured(num_taken_, proposals[num_taken_].origin, transition);
  }
}

void ReportableTrials::TakeMeasured(std::size_t position, Origin origin,
                                    const Transition& transition) {
  const Objectives point = MeasuredObjectives(problem_, transition);
  in_latency_.Add(position, {point.error_rate, point.latency_ratio});
  if (!HasObjectives(problem_, transition)) return;
  measured_.Add(position, point);
  if (KeepsBudgets(problem_.budgets, point, transition.weight_bytes)) {
    feasible_.Add(position, point);
  }
  if (origin != Origin::kIntegerProgram) return;
  const double area = ObjectiveHypervolume(problem_, std::span(&point, 1));
  if (area > best_area_) {
    best_area_ = area;
    best_of_program_ = position;
  }
}

std::vector<std::size_t> ReportableTrials::front() const {
  const GrowingFront& eligible = feasible_.indices().empty() ? measured_ : feasible_;
  std::vector<std::size_t> front;
  for (const std::size_t member : ParetoFront(eligible.points())) {
    front.push_back(eligible.indices()[member]);
  }
  return front;
}

std::vector<int> ReportableTrials::positions() const {
  std::vector<std::size_t> positions = front();
  if (best_of_program_) positions.push_back(*best_of_program_);
  std::sort(positions.begin(), positions.end());
  positions.erase(std::unique(positions.begin(), positions.end()), positions.end());
  return {positions.begin(), positions.end()};
}

}  // namespace bitpilot
