#include "policies/uniform.h"

#include <cstddef>
#include <set>

namespace bitpilot {
namespace {

// `weights` where a variable is a layer's weights, `activations` elsewhere.
Choice Join(const SearchProblem& problem, const Choice& weights, const Choice& activations) {
  Choice joined = weights;
  for (std::size_t i = 0; i < joined.size(); ++i) {
    if (problem.variables[i].kind == DecisionVariable::Kind::kActivations) {
      joined[i] = activations[i];
    }
  }
  return joined;
}

}  // namespace

std::vector<Candidate> UniformPolicy::Propose(TicketId, int count) {
  std::set<int> widths;
  for (const DecisionVariable& variable : problem().variables) {
    widths.insert(variable.widths.begin(), variable.widths.end());
  }
  std::vector<Candidate> candidates;
  const auto add = [&](int weight_bits, int activation_bits) {
    Choice choice = Join(problem(), UniformChoice(problem(), weight_bits),
                         UniformChoice(problem(), activation_bits));
    if (KeepsSize(choice)) {
      candidates.push_back({.choice = std::move(choice),
                            .origin = Origin::kUniform,
                            .reason = "uniform w" + std::to_string(weight_bits) + "a" +
                                      std::to_string(activation_bits)});
    }
  };
  for (auto width = widths.rbegin(); width != widths.rend(); ++width) {
    add(*width, *width);
  }
  for (int sum = 16; sum >= 2; --sum) {
    for (auto weight_bits = widths.rbegin(); weight_bits != widths.rend(); ++weight_bits) {
      const int activation_bits = sum - *weight_bits;
      if (activation_bits != *weight_bits && widths.contains(activation_bits)) {
        add(*weight_bits, activation_bits);
      }
    }
  }
  return Unseen(candidates, count);
}

}  // namespace bitpilot
