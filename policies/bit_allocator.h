// BitAllocator: the best widths by the tables alone, as an integer program.
//
//   minimize    sum of sensitivities
//   subject to  predicted latency <= limit, and the size and energy budgets
//
// An operation's cost depends on two variables: its weights' width and the width of the tensor that
// it reads. A tensor's variable and the weights of the layers that read it therefore form a group,
// and groups share no operation: the program is a multiple-choice knapsack whose options are a
// group's joint widths, dominated ones left out (policies/multiple_choice.h).
#pragma once

#include <optional>
#include <vector>

#include "kernels/base/status.h"
#include "policies/cost_model.h"
#include "policies/multiple_choice.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Variables whose costs depend on each other.
struct VariableGroup {
  std::vector<int>
      variables;  // indices into SearchProblem::variables; an activation variable comes first
  std::vector<int> operations;  // indices into CostModel::operations()
};

// Every variable is in exactly one group, by ascending first variable.
std::vector<VariableGroup> IndependentGroups(const SearchProblem& problem, const CostModel& cost);

// Immutable. `problem` and `cost` must outlive it.
class BitAllocator {
 public:
  BitAllocator(const SearchProblem& problem, const CostModel& cost);

  // Lowest sum of sensitivities with LatencyRatio() <= max_latency_ratio, max_weight_bytes and
  // (predicted, if the table has energies) max_energy_ratio.
  //
  // Errors: kNotFound if no choice keeps them all; the message names them.
  Result<Choice> MinimizeLoss(double max_latency_ratio) const;

  // Lowest predicted latency within size and energy. Errors: as above.
  Result<Choice> MinimizeLatency() const;

  // Checks what MinimizeLoss(*max_latency_ratio), or without it MinimizeLatency(), answered
  // elsewhere: it keeps the limits and is an optimum, whichever of several (CheckOptimum()).
  //
  // Errors: kDataCorrupt says what is wrong.
  //
  // REQUIRES: IsLegal().
  Status CheckAnswer(std::optional<double> max_latency_ratio, const Choice& choice) const;

 private:
  // Joint widths of one group.
  struct Option {
    double loss = 0.0;
    double latency_ratio = 0.0;
    double energy_ratio = 0.0;
    double weight_bits = 0.0;  // weights x bits, a whole number
    std::vector<int> widths;   // parallel to VariableGroup::variables
  };

  std::vector<Option> GroupOptions(const VariableGroup& group) const;
  std::vector<Option> WithVariable(const std::vector<Option>& options, int variable,
                                   Choice& choice) const;
  std::vector<Option> WithoutDominated(std::vector<Option> options) const;
  void AddOperation(int operation, const Choice& choice, Option& option) const;
  std::vector<double> Limits(std::optional<double> max_latency_ratio) const;
  std::vector<std::vector<ChoiceOption>> Groups(bool minimize_loss) const;
  Result<Choice> Solve(std::optional<double> max_latency_ratio) const;

  const SearchProblem& problem_;
  const CostModel& cost_;
  bool limits_size_ = false;
  bool limits_energy_ = false;
  std::vector<VariableGroup> groups_;
  std::vector<std::vector<Option>> options_;  // [groups]
};

}  // namespace bitpilot
