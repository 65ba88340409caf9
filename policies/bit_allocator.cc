#include "policies/bit_allocator.h"

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include "policies/index.h"

namespace bitpilot {
namespace {

bool IsActivation(const SearchProblem& problem, int variable) {
  return problem.variables[AsIndex(variable)].kind == DecisionVariable::Kind::kActivations;
}

std::string DescribeLimits(const Budgets& budgets, std::optional<double> max_latency_ratio) {
  std::string text;
  if (max_latency_ratio) {
    text += " latency ratio <= " + std::to_string(*max_latency_ratio);
  }
  if (budgets.max_weight_bytes) {
    text += " weight bytes <= " + std::to_string(*budgets.max_weight_bytes);
  }
  if (budgets.max_energy_ratio) {
    text += " energy ratio <= " + std::to_string(*budgets.max_energy_ratio);
  }
  return text;
}

}  // namespace

std::vector<VariableGroup> IndependentGroups(const SearchProblem& problem, const CostModel& cost) {
  std::vector<VariableGroup> groups;
  std::vector<bool> grouped(problem.variables.size(), false);
  // Activation variables first: they bring the weights of the layers that read them.
  for (const bool activations : {true, false}) {
    for (std::size_t i = 0; i < problem.variables.size(); ++i) {
      const int variable = static_cast<int>(i);
      if (grouped[i] || IsActivation(problem, variable) != activations) {
        continue;
      }
      VariableGroup group{.variables = {variable}, .operations = cost.OperationsOf(variable)};
      grouped[i] = true;
      for (const int operation : group.operations) {
        const int weights = cost.operations()[AsIndex(operation)].weight_variable;
        if (weights >= 0 && !grouped[AsIndex(weights)]) {
          group.variables.push_back(weights);
          grouped[AsIndex(weights)] = true;
        }
      }
      groups.push_back(std::move(group));
    }
  }
  std::sort(groups.begin(), groups.end(), [](const VariableGroup& a, const VariableGroup& b) {
    return a.variables.front() < b.variables.front();
  });
  return groups;
}

BitAllocator::BitAllocator(const SearchProblem& problem, const CostModel& cost)
    : problem_(problem),
      cost_(cost),
      limits_size_(problem.budgets.max_weight_bytes.has_value()),
      limits_energy_(problem.budgets.max_energy_ratio.has_value() && cost.has_energy()),
      groups_(IndependentGroups(problem, cost)) {
  for (const VariableGroup& group : groups_) {
    options_.push_back(GroupOptions(group));
  }
}

std::vector<BitAllocator::Option> BitAllocator::GroupOptions(const VariableGroup& group) const {
  Choice choice(problem_.variables.size(), 0);
  const int first = group.variables.front();
  std::vector<Option> all;
  // Joint widths for each width of the first variable, which the others' costs depend on.
  for (const Option& start : WithVariable({Option{}}, first, choice)) {
    choice[AsIndex(first)] = start.widths.front();
    std::vector<Option> options = {start};
    for (std::size_t i = 1; i < group.variables.size(); ++i) {
      options = WithoutDominated(WithVariable(options, group.variables[i], choice));
    }
    all.insert(all.end(), options.begin(), options.end());
  }
  return WithoutDominated(std::move(all));
}

// Every option with every width of `variable`. Operations are charged once all their variables are
// chosen: `choice` holds 0 where a variable is not.
std::vector<BitAllocator::Option> BitAllocator::WithVariable(const std::vector<Option>& options,
                                                             int variable, Choice& choice) const {
  const DecisionVariable& added = problem_.variables[AsIndex(variable)];
  std::vector<Option> result;
  for (const Option& option : options) {
    for (std::size_t k = 0; k < added.widths.size(); ++k) {
      choice[AsIndex(variable)] = added.widths[k];
      Option next = option;
      next.widths.push_back(added.widths[k]);
      next.loss += added.sensitivity[k];
      next.weight_bits += static_cast<double>(cost_.NumWeights(variable)) * added.widths[k];
      for (const int operation : cost_.OperationsOf(variable)) {
        AddOperation(operation, choice, next);
      }
      result.push_back(std::move(next));
    }
  }
  choice[AsIndex(variable)] = 0;
  return result;
}

void BitAllocator::AddOperation(int operation, const Choice& choice, Option& option) const {
  const SearchedOperation& added = cost_.operations()[AsIndex(operation)];
  for (const int variable : {added.weight_variable, added.activation_variable}) {
    if (variable >= 0 && choice[AsIndex(variable)] == 0) {
      return;
    }
  }
  option.latency_ratio += added.LatencyRatio(choice);
  option.energy_ratio += added.EnergyRatio(choice);
}

std::vector<BitAllocator::Option> BitAllocator::WithoutDominated(
    std::vector<Option> options) const {
  // Sorted by loss first, an option can only be dominated by one before it.
  std::stable_sort(options.begin(), options.end(), [](const Option& a, const Option& b) {
    return a.loss != b.loss ? a.loss < b.loss : a.latency_ratio < b.latency_ratio;
  });
  std::vector<Option> kept;
  for (Option& option : options) {
    const bool dominated = std::any_of(kept.begin(), kept.end(), [&](const Option& other) {
      return other.latency_ratio <= option.latency_ratio &&
             (!limits_energy_ || other.energy_ratio <= option.energy_ratio) &&
             (!limits_size_ || other.weight_bits <= option.weight_bits);
    });
    if (!dominated) {
      kept.push_back(std::move(option));
    }
  }
  return kept;
}

Result<Choice> BitAllocator::MinimizeLoss(double max_latency_ratio) const {
  return Solve(max_latency_ratio);
}

Result<Choice> BitAllocator::MinimizeLatency() const { return Solve(std::nullopt); }

std::vector<double> BitAllocator::Limits(std::optional<double> max_latency_ratio) const {
  std::vector<double> limits;
  if (max_latency_ratio) {
    limits.push_back(*max_latency_ratio - cost_.fixed_latency_ratio());
  }
  if (limits_energy_) {
    limits.push_back(*problem_.budgets.max_energy_ratio - cost_.fixed_energy_ratio());
  }
  if (limits_size_) {
    limits.push_back(8.0 * static_cast<double>(*problem_.budgets.max_weight_bytes) -
                     static_cast<double>(cost_.fixed_weight_bits()));
  }
  return limits;
}

std::vector<std::vector<ChoiceOption>> BitAllocator::Groups(bool minimize_loss) const {
  std::vector<std::vector<ChoiceOption>> groups;
  for (const std::vector<Option>& options : options_) {
    std::vector<ChoiceOption>& group = groups.emplace_back();
    for (const Option& option : options) {
      ChoiceOption& added = group.emplace_back();
      added.loss = minimize_loss ? option.loss : option.latency_ratio;
      if (minimize_loss) {
        added.costs.push_back(option.latency_ratio);
      }
      if (limits_energy_) {
        added.costs.push_back(option.energy_ratio);
      }
      if (limits_size_) {
        added.costs.push_back(option.weight_bits);
      }
    }
  }
  return groups;
}

Status BitAllocator::CheckAnswer(std::optional<double> max_latency_ratio,
                                 const Choice& choice) const {
  double loss = 0.0;
  double weight_bits = 0.0;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    const DecisionVariable& variable = problem_.variables[i];
    const auto width = std::find(variable.widths.begin(), variable.widths.end(), choice[i]);
    loss += variable.sensitivity[static_cast<std::size_t>(width - variable.widths.begin())];
    weight_bits += static_cast<double>(cost_.NumWeights(static_cast<int>(i))) * choice[i];
  }
  const double latency = cost_.LatencyRatio(choice) - cost_.fixed_latency_ratio();
  std::vector<double> costs;
  if (max_latency_ratio) {
    costs.push_back(latency);
  }
  if (limits_energy_) {
    costs.push_back(cost_.Predict(choice).energy_ratio.value() - cost_.fixed_energy_ratio());
  }
  if (limits_size_) {
    costs.push_back(weight_bits);
  }
  return CheckOptimum(Groups(max_latency_ratio.has_value()), Limits(max_latency_ratio),
                      max_latency_ratio ? loss : latency, costs);
}

// With a limit the lowest loss, without one the lowest latency.
Result<Choice> BitAllocator::Solve(std::optional<double> max_latency_ratio) const {
  const std::vector<double> limits = Limits(max_latency_ratio);
  const Status infeasible(
      StatusCode::kNotFound,
      "no choice of widths keeps" + DescribeLimits(problem_.budgets, max_latency_ratio));
  if (std::any_of(limits.begin(), limits.end(), [](double limit) { return limit < 0.0; })) {
    return infeasible;
  }
  const Result<OptionIndices> chosen =
      SolveMultipleChoice(Groups(max_latency_ratio.has_value()), limits);
  if (!chosen.ok()) {
    return chosen.status().code() == StatusCode::kNotFound ? infeasible : chosen.status();
  }
  Choice choice(problem_.variables.size(), 0);
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const Option& option = options_[g][(*chosen)[g]];
    for (std::size_t i = 0; i < option.widths.size(); ++i) {
      choice[AsIndex(groups_[g].variables[i])] = option.widths[i];
    }
  }
  return choice;
}

}  // namespace bitpilot
