#include "policies/bit_allocator.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <set>
#include <string>
#include <utility>

#include "policies/index.h"

namespace bitpilot {
namespace {

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

// Number of joint widths of variables[first, last).
double NumJointWidths(const SearchProblem& problem, const std::vector<int>& variables,
                      std::size_t first, std::size_t last) {
  double joint = 1.0;
  for (std::size_t i = first; i < last; ++i) {
    joint *= static_cast<double>(problem.variables[AsIndex(variables[i])].widths.size());
  }
  return joint;
}

}  // namespace

BitAllocator::BitAllocator(const SearchProblem& problem, const CostModel& cost)
    : problem_(problem),
      cost_(cost),
      limits_size_(problem.budgets.max_weight_bytes.has_value()),
      limits_energy_(problem.budgets.max_energy_ratio.has_value() && cost.has_energy()),
      groups_(IndependentGroups(problem, cost)) {
  criteria_ = {&JointOption::loss, &JointOption::latency_ratio};
  if (limits_energy_) criteria_.push_back(&JointOption::energy_ratio);
  if (limits_size_) criteria_.push_back(&JointOption::weight_bits);
  for (const VariableGroup& group : groups_) {
    options_.push_back(GroupOptions(group));
  }
}

std::vector<JointOption> BitAllocator::GroupOptions(const VariableGroup& group) {
  const std::size_t num_heads = AsIndex(group.num_heads);
  const std::size_t num_variables = group.variables.size();
  const bool exact =
      NumJointWidths(problem_, group.variables, num_heads, num_variables) <= kMaxJointWidths;
  relaxed_ = relaxed_ || !exact;
  std::vector<JointOption> all;
  for (const Choice& heads : HeadChoices(group, exact ? kMaxJointWidths : kMaxRelaxedHeads)) {
    std::vector<std::vector<JointOption>> widths;
    for (std::size_t i = num_heads; i < num_variables; ++i) {
      widths.push_back(WidthsOf(group.variables[i], heads));
    }
    const JointOption start = StartOption(group, heads);
    const std::vector<JointOption> options = exact ? AllNotDominated(start, widths, criteria_)
                                                   : OptionsOnHulls(start, widths, criteria_);
    all.insert(all.end(), options.begin(), options.end());
  }
  return exact ? WithoutDominated(std::move(all), criteria_) : LowestInSlices(all, criteria_);
}

// Choices that hold the heads' joint widths and 0 elsewhere.
std::vector<Choice> BitAllocator::HeadChoices(const VariableGroup& group, double max_joint) const {
  const std::size_t num_heads = AsIndex(group.num_heads);
  std::vector<Choice> choices = {Choice(problem_.variables.size(), 0)};
  if (NumJointWidths(problem_, group.variables, 0, num_heads) > max_joint) {
    std::set<Choice> together;
    for (int bits = 1; bits <= 8; ++bits) {
      const Choice uniform = UniformChoice(problem_, bits);
      Choice choice = choices.front();
      for (std::size_t i = 0; i < num_heads; ++i) {
        choice[AsIndex(group.variables[i])] = uniform[AsIndex(group.variables[i])];
      }
      together.insert(std::move(choice));
    }
    return {together.begin(), together.end()};
  }
  for (std::size_t i = 0; i < num_heads; ++i) {
    std::vector<Choice> longer;
    for (const Choice& choice : choices) {
      for (const int width : problem_.variables[AsIndex(group.variables[i])].widths) {
        longer.push_back(choice);
        longer.back()[AsIndex(group.variables[i])] = width;
      }
    }
    choices = std::move(longer);
  }
  return choices;
}

// What the heads' widths alone bring: theirs, and the channels whose width they or none sets.
JointOption BitAllocator::StartOption(const VariableGroup& group, const Choice& heads) const {
  JointOption option;
  for (std::size_t i = 0; i < AsIndex(group.num_heads); ++i) {
    const int variable = group.variables[i];
    const std::vector<int>& widths = problem_.variables[AsIndex(variable)].widths;
    const auto width = std::lower_bound(widths.begin(), widths.end(), heads[AsIndex(variable)]);
    AddWidth(variable, static_cast<std::size_t>(width - widths.begin()), option);
  }
  for (const int index : group.operations) {
    const SearchedOperation& operation = cost_.operations()[AsIndex(index)];
    const std::size_t read_bits = AsIndex(operation.ReadBits(heads));
    option.latency_ratio += operation.latency_ratio[0][read_bits];
    option.energy_ratio += operation.energy_ratio[0][read_bits];
    for (const OperationPart& part : operation.parts) {
      const std::size_t bits = AsIndex(heads[AsIndex(part.variable)]);
      if (bits == 0) continue;
      option.latency_ratio += part.share * operation.latency_ratio[bits][read_bits];
      option.energy_ratio += part.share * operation.energy_ratio[bits][read_bits];
    }
  }
  return option;
}

// What each width of `variable`, which is no head, adds.
std::vector<JointOption> BitAllocator::WidthsOf(int variable, const Choice& heads) const {
  const DecisionVariable& added = problem_.variables[AsIndex(variable)];
  std::vector<JointOption> widths(added.widths.size());
  for (std::size_t k = 0; k < widths.size(); ++k) {
    const std::size_t bits = AsIndex(added.widths[k]);
    AddWidth(variable, k, widths[k]);
    for (const int index : cost_.OperationsOf(variable)) {
      const SearchedOperation& operation = cost_.operations()[AsIndex(index)];
      const std::size_t read_bits = AsIndex(operation.ReadBits(heads));
      for (const OperationPart& part : operation.parts) {
        if (part.variable != variable) continue;
        widths[k].latency_ratio += part.share * operation.latency_ratio[bits][read_bits];
        widths[k].energy_ratio += part.share * operation.energy_ratio[bits][read_bits];
      }
    }
  }
  return widths;
}

// The variable's `position`-th width, its loss and the weights that have it; not what operations
// cost.
void BitAllocator::AddWidth(int variable, std::size_t position, JointOption& option) const {
  const DecisionVariable& added = problem_.variables[AsIndex(variable)];
  option.widths.push_back(added.widths[position]);
  option.loss += added.sensitivity[position];
  option.weight_bits += static_cast<double>(cost_.NumWeights(variable)) * added.widths[position];
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
  for (const std::vector<JointOption>& options : options_) {
    std::vector<ChoiceOption>& group = groups.emplace_back();
    for (const JointOption& option : options) {
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

// Takes, as long as there are any, single changes that lower the loss and keep the limits; of several
// the one that lowers it most for the latency.
void BitAllocator::SpendRest(double max_latency_ratio, Choice& choice) const {
  const auto keeps = [&](const Choice& changed) {
    const PredictedCost cost = cost_.Predict(changed);
    return cost.latency_ratio <= max_latency_ratio &&
           (!limits_energy_ || *cost.energy_ratio <= *problem_.budgets.max_energy_ratio) &&
           (!limits_size_ || cost.weight_bytes <= *problem_.budgets.max_weight_bytes);
  };
  constexpr double kLeastLatency = 1e-9;  // for changes that cost no time
  while (true) {
    const double room = max_latency_ratio - cost_.LatencyRatio(choice);
    Choice best;
    double best_value = 0.0;
    for (std::size_t v = 0; v < choice.size(); ++v) {
      const DecisionVariable& variable = problem_.variables[v];
      const auto now = static_cast<std::size_t>(
          std::lower_bound(variable.widths.begin(), variable.widths.end(), choice[v]) -
          variable.widths.begin());
      for (std::size_t k = 0; k < variable.widths.size(); ++k) {
        const double gain = variable.sensitivity[now] - variable.sensitivity[k];
        if (gain <= 0.0) continue;
        const int width = variable.widths[k];
        const double latency = cost_.LatencyRatioDelta(choice, static_cast<int>(v), width);
        const double value = gain / std::max(latency, kLeastLatency);
        if (latency > room || value <= best_value) continue;
        Choice candidate = choice;
        candidate[v] = width;
        if (!keeps(candidate)) continue;
        best_value = value;
        best = std::move(candidate);
      }
    }
    if (best.empty()) return;
    choice = std::move(best);
  }
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
    const JointOption& option = options_[g][(*chosen)[g]];
    for (std::size_t i = 0; i < option.widths.size(); ++i) {
      choice[AsIndex(groups_[g].variables[i])] = option.widths[i];
    }
  }
  if (relaxed_ && max_latency_ratio) {
    SpendRest(*max_latency_ratio, choice);
  }
  return choice;
}

}  // namespace bitpilot
