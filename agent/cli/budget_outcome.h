// What a search says of budgets that no candidate kept: how near the candidates came, and what
// would have to give.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/study/final_event.h"
#include "policies/search_problem.h"

namespace bitpilot {

// One budget that the user gave, and the measured candidates of the search beside it.
struct BudgetDistance {
  std::string flag;  // "--max-latency"
  double limit = 0.0;
  // Why no candidate has a figure for it: "energy was not measured: <reason>". Then the rest is
  // empty; and no other budget can give alone.
  std::string unknown;
  std::string nearest;  // label of the candidate that comes nearest to it (or keeps it best)
  double nearest_value = 0.0;
  // Of --min-accuracy, which is about validation images; null in studies of an older bitpilot.
  std::optional<double> nearest_test_accuracy;
  // The nearest of those that keep all the other budgets; empty if none does: then this budget
  // alone cannot give.
  std::string alone;
  double alone_value = 0.0;
};

// Empty without budgets or measured candidates.
std::vector<BudgetDistance> DistancesTo(const Budgets& budgets, const FinalEvent& final);

// True if one of the budgets was not measured: then whether a candidate keeps them is not known.
bool IsAnyUnknown(const std::vector<BudgetDistance>& distances);

// One sentence about all of them, without a full stop.
//
// REQUIRES: !distances.empty().
std::string DescribeMissedBudgets(const std::vector<BudgetDistance>& distances);

}  // namespace bitpilot
