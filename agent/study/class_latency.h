// How long a candidate takes on one class of boards, from its ratio there.
#pragma once

#include <optional>

#include "policies/environment.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Its ratio to uniform 8 bit there, times what uniform 8 bit took there before the search, ns. nullopt if
// the class did not measure it, or an older study does not say what uniform 8 bit took.
std::optional<double> ClassLatencyNs(const SearchProblem& problem, const ClassOutcome& outcome);

}  // namespace bitpilot
