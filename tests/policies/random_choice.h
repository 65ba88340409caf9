// Random legal choices for tests.
#pragma once

#include <cstddef>

#include "policies/random_stream.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Every variable's width uniformly at random.
inline Choice RandomChoice(const SearchProblem& problem, RandomStream& random) {
  Choice choice;
  for (const DecisionVariable& variable : problem.variables) {
    const int count = static_cast<int>(variable.widths.size());
    choice.push_back(variable.widths[static_cast<std::size_t>(random.NextIndex(count))]);
  }
  return choice;
}

}  // namespace bitpilot
