#include "policies/width_index.h"

#include <algorithm>

#include "kernels/base/check.h"
#include "policies/index.h"

namespace bitpilot {

WidthIndex::WidthIndex(const std::vector<DecisionVariable>& variables) {
  for (const DecisionVariable& variable : variables) {
    variables_.push_back({num_widths_, variable.widths});
    num_widths_ += static_cast<int>(variable.widths.size());
  }
}

int WidthIndex::Position(int variable, int width) const {
  const std::vector<int>& legal = widths(variable);
  const auto found = std::lower_bound(legal.begin(), legal.end(), width);
  BITPILOT_CHECK(found != legal.end() && *found == width);
  return static_cast<int>(found - legal.begin());
}

}  // namespace bitpilot
