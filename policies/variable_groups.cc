#include "policies/variable_groups.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>
#include <utility>

#include "policies/index.h"

namespace bitpilot {
namespace {

// Disjoint sets of variables.
class Components {
 public:
  explicit Components(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }
  int Find(int member) {
    while (parent_[AsIndex(member)] != member) {
      int& parent = parent_[AsIndex(member)];
      parent = parent_[AsIndex(parent)];
      member = parent;
    }
    return member;
  }
  void Join(int a, int b) { parent_[AsIndex(Find(a))] = Find(b); }

 private:
  std::vector<int> parent_;
};

// Variables that `operation` sees.
std::vector<int> VariablesOf(const SearchedOperation& operation) {
  std::vector<int> variables;
  if (operation.activation_variable >= 0) variables.push_back(operation.activation_variable);
  for (const OperationPart& part : operation.parts) variables.push_back(part.variable);
  return variables;
}

}  // namespace

std::vector<VariableGroup> IndependentGroups(const SearchProblem& problem, const CostModel& cost) {
  const std::size_t count = problem.variables.size();
  Components components(count);
  std::vector<bool> is_head(count, false);
  for (const SearchedOperation& operation : cost.operations()) {
    const std::vector<int> variables = VariablesOf(operation);
    for (const int variable : variables) components.Join(variable, variables.front());
    if (operation.activation_variable >= 0) is_head[AsIndex(operation.activation_variable)] = true;
  }
  std::map<int, VariableGroup> by_root;
  for (const bool heads : {true, false}) {
    for (std::size_t i = 0; i < count; ++i) {
      if (is_head[i] != heads) continue;
      VariableGroup& group = by_root[components.Find(static_cast<int>(i))];
      group.variables.push_back(static_cast<int>(i));
      group.num_heads += heads ? 1 : 0;
    }
  }
  for (std::size_t i = 0; i < cost.operations().size(); ++i) {
    const int any = VariablesOf(cost.operations()[i]).front();
    by_root.at(components.Find(any)).operations.push_back(static_cast<int>(i));
  }
  std::vector<VariableGroup> groups;
  groups.reserve(by_root.size());
  for (auto& [root, group] : by_root) groups.push_back(std::move(group));
  std::sort(groups.begin(), groups.end(), [](const VariableGroup& a, const VariableGroup& b) {
    return a.variables.front() < b.variables.front();
  });
  return groups;
}

}  // namespace bitpilot
