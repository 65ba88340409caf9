#include "agent/search/finalists.h"

#include <algorithm>
#include <limits>

#include "agent/search/front.h"
#include "policies/ilp.h"

namespace bitpilot {
namespace {

bool KeepsBudgets(const SearchProblem& problem, const Transition& transition) {
  const Budgets& budgets = problem.budgets;
  const double ratio = ObjectivesOf(problem, transition).latency_ratio;
  return (!budgets.max_latency_ratio || ratio <= *budgets.max_latency_ratio) &&
         (!budgets.max_weight_bytes || transition.weight_bytes <= *budgets.max_weight_bytes) &&
         (!budgets.min_accuracy || transition.accuracy >= *budgets.min_accuracy);
}

// The front of `steps`, by ascending latency, thinned.
std::vector<std::size_t> ThinnedFront(const SearchProblem& problem,
                                      const std::vector<TransitionEvent>& transitions,
                                      const std::vector<std::size_t>& steps) {
  std::vector<Objectives> points;
  for (const std::size_t step : steps)
    points.push_back(ObjectivesOf(problem, transitions[step].transition));
  std::vector<std::size_t> front = ParetoFront(points);
  while (front.size() > kMaxFrontFinalists) {
    std::size_t least = 0;
    double most_left = -1.0;
    for (std::size_t drop = 0; drop < front.size(); ++drop) {
      std::vector<Objectives> rest;
      for (std::size_t i = 0; i < front.size(); ++i) {
        if (i != drop) rest.push_back(points[front[i]]);
      }
      const double left = Hypervolume(rest);
      if (left > most_left) {
        most_left = left;
        least = drop;
      }
    }
    front.erase(front.begin() + static_cast<std::ptrdiff_t>(least));
  }
  for (std::size_t& index : front) index = steps[index];
  return front;
}

std::optional<std::size_t> BestIlpStep(const SearchProblem& problem,
                                       const std::vector<ProposalEvent>& proposals,
                                       const std::vector<TransitionEvent>& transitions) {
  std::optional<std::size_t> best;
  double best_area = -1.0;
  for (std::size_t step = 0; step < transitions.size(); ++step) {
    const Transition& transition = transitions[step].transition;
    if (transition.status != TransitionStatus::kMeasured) continue;
    if (!proposals[step].reason.starts_with(kIlpReasonPrefix)) continue;
    const Objectives point = ObjectivesOf(problem, transition);
    const double area = Hypervolume(std::span(&point, 1));
    if (area > best_area) {
      best_area = area;
      best = step;
    }
  }
  return best;
}

}  // namespace

std::vector<Finalist> ChooseFinalists(const SearchProblem& problem,
                                      const std::vector<ProposalEvent>& proposals,
                                      const std::vector<TransitionEvent>& transitions) {
  std::vector<Finalist> finalists;
  for (const int bits : {8, 4}) {
    finalists.push_back({"uniform " + std::to_string(bits) + " bit", "reference",
                         UniformAssignment(problem.topology, bits, bits), std::nullopt});
  }
  const auto add = [&](std::string label, std::string origin, std::size_t step) {
    finalists.push_back({std::move(label), std::move(origin),
                         ToAssignment(problem, transitions[step].transition.choice),
                         static_cast<int>(step)});
  };
  if (const auto ilp = BestIlpStep(problem, proposals, transitions)) add("ilp start", "ilp", *ilp);

  std::vector<std::size_t> measured, feasible;
  for (std::size_t step = 0; step < transitions.size(); ++step) {
    const Transition& transition = transitions[step].transition;
    if (transition.status != TransitionStatus::kMeasured) continue;
    measured.push_back(step);
    if (KeepsBudgets(problem, transition)) feasible.push_back(step);
  }
  int number = 0;
  for (const std::size_t step :
       ThinnedFront(problem, transitions, feasible.empty() ? measured : feasible)) {
    add("front " + std::to_string(++number), "front", step);
  }
  return finalists;
}

}  // namespace bitpilot
