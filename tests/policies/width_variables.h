// Decision variables for tests that need widths and sensitivities only.
#pragma once

#include <utility>
#include <vector>

#include "policies/search_problem.h"

namespace bitpilot {

// sensitivity: of each width; empty: none was probed.
inline DecisionVariable VariableOf(std::vector<int> widths, std::vector<double> sensitivity = {}) {
  DecisionVariable variable;
  variable.widths = std::move(widths);
  variable.sensitivity = std::move(sensitivity);
  variable.sensitivity.resize(variable.widths.size(), 0.0);
  return variable;
}

}  // namespace bitpilot
