#include "agent/search/front.h"

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
    if (transitions[i].transition.status != TransitionStatus::kMeasured) continue;
    measured.indices.push_back(i);
    measured.points.push_back(ObjectivesOf(problem, transitions[i].transition));
  }
  return measured;
}

}  // namespace

Objectives ObjectivesOf(const SearchProblem& problem, const Transition& transition) {
  return {1.0 - transition.accuracy, transition.latency_ns.value() / problem.uniform8.latency_ns};
}

std::vector<std::size_t> MeasuredFront(const SearchProblem& problem,
                                       const std::vector<TransitionEvent>& transitions) {
  const MeasuredPoints measured = Collect(problem, transitions);
  std::vector<std::size_t> front;
  for (const std::size_t index : ParetoFront(measured.points))
    front.push_back(measured.indices[index]);
  return front;
}

double MeasuredHypervolume(const SearchProblem& problem,
                           const std::vector<TransitionEvent>& transitions) {
  return Hypervolume(Collect(problem, transitions).points);
}

}  // namespace bitpilot
