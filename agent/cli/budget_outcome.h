// What a search says of budgets that no candidate kept: how near the candidates came, and what
// would have to give.
#pragma once

#include <string>
#include <vector>

#include "agent/study/events.h"
#include "policies/search_problem.h"

namespace bitpilot {

// One budget that the user gave, and the measured candidates of the search beside it.
struct BudgetDistance {
  std::string flag;  // "--max-latency"
  double limit = 0.0;
  std::string nearest;  // label of the candidate that comes nearest to it (or keeps it best)
  double nearest_value = 0.0;
  // The nearest of those that keep all the other budgets; empty if none does: then this budget
  // alone cannot give.
  std::string alone;
  double alone_value = 0.0;
};

// Empty without budgets or measured candidates.
std::vector<BudgetDistance> DistancesTo(const Budgets& budgets, const FinalEvent& final);

// One sentence about all of them, without a full stop.
//
// REQUIRES: !distances.empty().
std::string DescribeMissedBudgets(const std::vector<BudgetDistance>& distances);

}  // namespace bitpilot
