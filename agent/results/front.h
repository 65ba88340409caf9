// The Pareto front of what a search measured.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "agent/study/events.h"
#include "policies/pareto.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Indices of the transitions that no other one dominates in the problem's objectives, by ascending
// latency. A transition that lacks one of them takes no part.
std::vector<std::size_t> MeasuredFront(const SearchProblem& problem,
                                       const std::vector<TransitionEvent>& transitions);

// Of everything measured, in error and latency (policies/pareto.h).
double MeasuredHypervolume(const SearchProblem& problem,
                           const std::vector<TransitionEvent>& transitions);

// The same in error, latency and energy; nullopt where energy is no objective.
std::optional<double> MeasuredEnergyHypervolume(const SearchProblem& problem,
                                                const std::vector<TransitionEvent>& transitions);

// The problem as one of its classes has it.
SearchProblem OnClass(SearchProblem problem, const ClassId& on);

// An answer as that class has it: `problem` is OnClass()'s. Loss and accuracy are the same on all.
TransitionEvent OnClass(const SearchProblem& problem, TransitionEvent event);

// All of them.
std::vector<TransitionEvent> OnClass(const SearchProblem& problem,
                                     std::vector<TransitionEvent> transitions);

}  // namespace bitpilot
