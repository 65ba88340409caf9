// Targets: networks that a search may end with, as many as it can look at in one decision.
//
// From posterior draws: in a world drawn from what is believed of losses and costs, the exactly best
// choice at the budget, or without one at rungs from the cheapest choice to uniform 8 bit
// (policies/width_ladder.h); the first world is what is expected. Beside them whatever the caller
// knows: the integer program's answers, what was tried.
#pragma once

#include <vector>

#include "policies/cost_model.h"
#include "policies/lookahead.h"
#include "policies/loss_belief.h"
#include "policies/random_stream.h"
#include "policies/search_problem.h"
#include "policies/surrogate.h"
#include "policies/target_utility.h"
#include "policies/width_ladder.h"

namespace bitpilot {

// Best choices of `worlds` worlds after all that is left was trained from `state`. May repeat, may
// miss budgets that the worlds judge otherwise; weight bytes are kept where that is possible.
//
// REQUIRES: worlds >= 1; `problem`, `cost` made `ladder`.
std::vector<Choice> DrawTargets(const SearchProblem& problem, const CostModel& cost,
                                const WidthLadder& ladder, const LossBelief& belief,
                                const TrainedState& state, const SearchLeft& left,
                                const Surrogate& surrogate, int worlds, RandomStream& random);

}  // namespace bitpilot
