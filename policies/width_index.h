// WidthIndex: numbers every (variable, legal width) of a problem, variable by variable.
#pragma once

#include <cstddef>
#include <vector>

#include "policies/search_problem.h"

namespace bitpilot {

class WidthIndex {
 public:
  explicit WidthIndex(const std::vector<DecisionVariable>& variables);

  int num_variables() const { return static_cast<int>(variables_.size()); }
  // Of all variables together.
  int num_widths() const { return num_widths_; }

  const std::vector<int>& widths(int variable) const {
    return variables_[static_cast<std::size_t>(variable)].widths;
  }
  // Number of the variable's `position`-th width.
  int At(int variable, int position) const {
    return variables_[static_cast<std::size_t>(variable)].first + position;
  }
  // Position of `width` among the variable's widths. REQUIRES: it is one of them.
  int Position(int variable, int width) const;
  // At(variable, Position(variable, width)).
  int Of(int variable, int width) const { return At(variable, Position(variable, width)); }

 private:
  struct Variable {
    int first;
    std::vector<int> widths;
  };
  std::vector<Variable> variables_;
  int num_widths_ = 0;
};

}  // namespace bitpilot
