#include "policies/search_problem.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <utility>

#include "kernels/base/check.h"

namespace bitpilot {

ClassObjective ParseClassObjective(const std::string& text) {
  if (text == "worst") return {ClassObjective::Kind::kWorst};
  if (text == "mean") return {ClassObjective::Kind::kMean};
  return {ClassObjective::Kind::kOne, text};
}

std::vector<BitPosition> PositionsOf(const DecisionVariable& variable) {
  std::vector<BitPosition> positions = {{variable.kind, variable.index, variable.channels}};
  positions.insert(positions.end(), variable.ties.begin(), variable.ties.end());
  return positions;
}

ChannelRange Resolved(const ChannelRange& channels, int out_channels) {
  return channels.count > 0 ? channels : ChannelRange{0, out_channels};
}

BitAssignment WithWidth(BitAssignment assignment, const DecisionVariable& variable, int bits) {
  for (const BitPosition& position : PositionsOf(variable)) {
    const auto index = static_cast<std::size_t>(position.index);
    if (position.kind == PositionKind::kActivations) {
      assignment.activation_bits.at(index) = bits;
      continue;
    }
    std::vector<int> channels = ExpandRuns(assignment.weight_bits.at(index));
    const int count = static_cast<int>(channels.size());
    const ChannelRange range = Resolved(position.channels, count);
    BITPILOT_CHECK(range.first >= 0 && range.count <= count - range.first);
    std::fill_n(channels.begin() + range.first, range.count, bits);
    assignment.weight_bits[index] = RunsOf(channels);
  }
  return assignment;
}

BitAssignment ToAssignment(const SearchProblem& problem, const Choice& choice) {
  BITPILOT_CHECK(choice.size() == problem.variables.size());
  BitAssignment assignment = problem.base;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    const DecisionVariable& variable = problem.variables[i];
    BITPILOT_CHECK(std::binary_search(variable.widths.begin(), variable.widths.end(), choice[i]));
    assignment = WithWidth(std::move(assignment), variable, choice[i]);
  }
  return assignment;
}

std::vector<std::string> VariableNames(const SearchProblem& problem) {
  std::vector<std::string> names;
  for (const DecisionVariable& variable : problem.variables) {
    const bool weights = variable.kind == DecisionVariable::Kind::kWeights;
    names.push_back((weights ? "weights " : "activations ") + variable.name);
  }
  return names;
}

bool IsLegal(const SearchProblem& problem, const Choice& choice) {
  bool legal = choice.size() == problem.variables.size();
  for (std::size_t i = 0; legal && i < choice.size(); ++i) {
    const std::vector<int>& widths = problem.variables[i].widths;
    legal = std::binary_search(widths.begin(), widths.end(), choice[i]);
  }
  return legal;
}

bool HasBudget(const Budgets& budgets) {
  return budgets.max_latency_ratio || budgets.max_energy_ratio || budgets.max_weight_bytes ||
         budgets.min_accuracy;
}

bool KeepsBudgets(const Budgets& budgets, const BudgetedFigures& figures) {
  return (!budgets.max_latency_ratio || figures.latency_ratio <= *budgets.max_latency_ratio) &&
         (!budgets.max_energy_ratio || figures.energy_ratio <= *budgets.max_energy_ratio) &&
         (!budgets.max_weight_bytes || figures.weight_bytes <= *budgets.max_weight_bytes) &&
         (!budgets.min_accuracy || figures.error_rate <= 1.0 - *budgets.min_accuracy);
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
