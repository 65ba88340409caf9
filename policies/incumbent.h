// Incumbent: the choice that a Metropolis walk over the measured choices stands on.
//
// The walk lets the search leave the current front: a measured choice that is worse than the
// incumbent becomes the new one with a probability that falls with its disadvantage and, as
// measurements are used up, with time.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "policies/search_problem.h"
#include "policies/transition.h"

namespace bitpilot {

// Index into `history` of the incumbent, or nullopt if nothing was measured.
//
// In order of the history, a measured transition replaces the incumbent with probability min(1,
// e^(A / T)): A is the difference of utilities (UtilityOf(), policies/reward.h), divided by the standard deviation of all such
// differences so far; T falls from 1 to 0.05 geometrically over max_measurements.
std::optional<std::size_t> Incumbent(const SearchProblem& problem,
                                     const std::vector<Transition>& history, std::uint64_t seed);

}  // namespace bitpilot
