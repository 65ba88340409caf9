// One answered trial of a running search, as scripts and as people read it.
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "agent/study/events.h"
#include "policies/search_problem.h"

namespace bitpilot {

// A `step` object of `bitpilot search --json`. Of several classes each has a latency of its own; all of
// them together have none: "latency_ns" is null.
//
// problem: with its anchor. hypervolume: of everything measured so far.
nlohmann::json StepLine(const SearchProblem& problem, const ProposalEvent& proposal,
                        const TransitionEvent& answer, double hypervolume);

// "loss 0.512 (charged +0.031), 0.567x on bench-1": of several classes the joint ratio, then that of each.
std::string DescribeStep(const SearchProblem& problem, const TransitionEvent& answer);

}  // namespace bitpilot
