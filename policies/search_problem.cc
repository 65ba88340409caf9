#include "policies/search_problem.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "kernels/base/check.h"

namespace bitpilot {

BitAssignment ToAssignment(const SearchProblem& problem, const Choice& choice) {
  BITPILOT_CHECK(choice.size() == problem.variables.size());
  const std::vector<int> layers = LayerOperations(problem.topology);
  BitAssignment assignment = problem.base;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    const DecisionVariable& variable = problem.variables[i];
    BITPILOT_CHECK(std::binary_search(variable.widths.begin(), variable.widths.end(), choice[i]));
    const auto index = static_cast<std::size_t>(variable.index);
    if (variable.kind == DecisionVariable::Kind::kActivations) {
      assignment.activation_bits.at(index) = choice[i];
    } else {
      const auto operation = static_cast<std::size_t>(layers.at(index));
      const int channels = problem.topology.operations[operation].out_channels;
      assignment.weight_bits.at(index) = {{.channels = channels, .bits = choice[i]}};
    }
  }
  return assignment;
}

bool IsLegal(const SearchProblem& problem, const Choice& choice) {
  bool legal = choice.size() == problem.variables.size();
  for (std::size_t i = 0; legal && i < choice.size(); ++i) {
    const std::vector<int>& widths = problem.variables[i].widths;
    legal = std::binary_search(widths.begin(), widths.end(), choice[i]);
  }
  return legal;
}

Choice UniformChoice(const SearchProblem& problem, int bits) {
  Choice choice;
  for (const DecisionVariable& variable : problem.variables) {
    int nearest = variable.widths.front();
    for (const int width : variable.widths) {  // ascending, so that <= prefers the larger one
      if (std::abs(width - bits) <= std::abs(nearest - bits)) {
        nearest = width;
      }
    }
    choice.push_back(nearest);
  }
  return choice;
}

}  // namespace bitpilot
