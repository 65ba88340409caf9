// Which variables of a problem have to be chosen together: those that operations see together.
#pragma once

#include <vector>

#include "policies/cost_model.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Variables whose costs depend on each other.
struct VariableGroup {
  // Indices into SearchProblem::variables, ascending but for the heads, which come first.
  std::vector<int> variables;
  // How many of them set tensors that operations read. Given their widths, the costs of the others
  // do not depend on each other.
  int num_heads = 0;
  std::vector<int> operations;  // indices into CostModel::operations(), ascending
};

// Every variable is in exactly one group, by ascending first variable.
std::vector<VariableGroup> IndependentGroups(const SearchProblem& problem, const CostModel& cost);

}  // namespace bitpilot
