// The Pareto front of what a search measured.
#pragma once

#include <cstddef>
#include <vector>

#include "agent/study/events.h"
#include "policies/pareto.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Error rate and latency ratio of each measured transition. REQUIRES: status kMeasured.
Objectives ObjectivesOf(const SearchProblem& problem, const Transition& transition);

// Indices of the non-dominated measured transitions, by ascending latency.
std::vector<std::size_t> MeasuredFront(const SearchProblem& problem,
                                       const std::vector<TransitionEvent>& transitions);

// Of everything measured (policies/pareto.h).
double MeasuredHypervolume(const SearchProblem& problem,
                           const std::vector<TransitionEvent>& transitions);

}  // namespace bitpilot
