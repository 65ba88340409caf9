#include "agent/results/front.h"

#include <utility>

#include "policies/observed_front.h"
#include "policies/transition.h"

namespace bitpilot {
namespace {

struct MeasuredPoints {
  std::vector<std::size_t> indices;  // into the transitions
  std::vector<Objectives> points;    // parallel
};

MeasuredPoints Collect(const SearchProblem& problem,
                       const std::vector<TransitionEvent>& transitions) {
  MeasuredPoints measured;
  for (std::size_t i = 0; i < transitions.size(); ++i) {
    if (!HasObjectives(problem, transitions[i].transition)) continue;
    measured.indices.push_back(i);
    measured.points.push_back(MeasuredObjectives(problem, transitions[i].transition));
  }
  return measured;
}

}  // namespace

std::vector<std::size_t> MeasuredFront(const SearchProblem& problem,
                                       const std::vector<TransitionEvent>& transitions) {
  const MeasuredPoints measured = Collect(problem, transitions);
  std::vector<std::size_t> front;
  for (const std::size_t index : ParetoFront(measured.points))
    front.push_back(measured.indices[index]);
  return front;
}

SearchProblem OnClass(SearchProblem problem, const ClassId& on) {
  problem.class_objective = {ClassObjective::Kind::kOne, on};
  return problem;
}

TransitionEvent OnClass(const SearchProblem& problem, TransitionEvent event) {
  Trial trial;
  trial.what.choice = event.transition.choice;
  Transition there = ToTransition(problem, trial, event.Outcome());
  // As it was answered, by the anchor of then.
  there.loss = event.transition.loss;
  there.loss_deviation = event.transition.loss_deviation;
  there.accuracy = event.transition.accuracy;
  event.transition = std::move(there);
  return event;
}

std::vector<TransitionEvent> OnClass(const SearchProblem& problem,
                                     std::vector<TransitionEvent> transitions) {
  for (TransitionEvent& event : transitions) event = OnClass(problem, std::move(event));
  return transitions;
}

double MeasuredHypervolume(const SearchProblem& problem,
                           const std::vector<TransitionEvent>& transitions) {
  std::vector<Objectives> points;
  for (const TransitionEvent& event : transitions) {
    if (event.transition.status != TransitionStatus::kMeasured) continue;
    points.push_back(MeasuredObjectives(problem, event.transition));
  }
  return Hypervolume(points);
}

std::optional<double> MeasuredEnergyHypervolume(const SearchProblem& problem,
                                                const std::vector<TransitionEvent>& transitions) {
  if (problem.energy_objective == EnergyObjective::kNone) return std::nullopt;
  return EnergyHypervolume(Collect(problem, transitions).points);
}

}  // namespace bitpilot
