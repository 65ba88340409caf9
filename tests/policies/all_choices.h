// All answers to a small search problem, for tests that try every one.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "policies/search_problem.h"

namespace bitpilot {

// The probes of what `choice` chooses, summed: nats.
inline double TotalSensitivity(const SearchProblem& problem, const Choice& choice) {
  double total = 0.0;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    const DecisionVariable& variable = problem.variables[i];
    for (std::size_t k = 0; k < variable.widths.size(); ++k) {
      total += variable.widths[k] == choice[i] ? variable.sensitivity[k] : 0.0;
    }
  }
  return total;
}

inline std::vector<Choice> AllChoices(const SearchProblem& problem) {
  std::vector<Choice> all = {{}};
  for (const DecisionVariable& variable : problem.variables) {
    std::vector<Choice> longer;
    for (const Choice& prefix : all) {
      for (const int width : variable.widths) {
        longer.push_back(prefix);
        longer.back().push_back(width);
      }
    }
    all = std::move(longer);
  }
  return all;
}

}  // namespace bitpilot
