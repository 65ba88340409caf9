// BitAllocator: the best widths by the tables alone, as an integer program.
//
//   minimize    sum of sensitivities
//   subject to  predicted latency <= limit, and the size and energy budgets
//
// What a part of an operation costs depends on two variables: its channels' width and the width of
// the tensor that it reads. A tensor's variable and the weights of the layers that read it therefore
// form a group, and groups share no operation: the program is a multiple-choice knapsack whose
// options are a group's joint widths, dominated ones left out (policies/multiple_choice.h).
//
// That is exact as long as a group's weights have at most kMaxJointWidths joint widths: four layers
// of seven. Channels of their own width have more (7^64 in a layer of 64), and then the options are a
// relaxation (policies/joint_options.h): for each joint width of the tensors those on the lower convex
// hulls of loss and costs, where an option and the next differ in one variable's width; of all of them
// the best in each of 64 slices of every cost. What the program leaves of the limits then goes to
// single changes that lower the loss.
//
// Ties can join several tensors in one group. Where those have too many joint widths (kMaxJointWidths,
// or kMaxRelaxedHeads beside the relaxation), only those count in which all of them have their legal
// widths nearest to one of 1 to 8.
#pragma once

#include <optional>
#include <vector>

#include "kernels/base/status.h"
#include "policies/cost_model.h"
#include "policies/joint_options.h"
#include "policies/multiple_choice.h"
#include "policies/search_problem.h"
#include "policies/variable_groups.h"

namespace bitpilot {

inline constexpr double kMaxJointWidths = 4096.0;
inline constexpr double kMaxRelaxedHeads = 64.0;

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
  std::vector<JointOption> GroupOptions(const VariableGroup& group);
  std::vector<Choice> HeadChoices(const VariableGroup& group, double max_joint) const;
  JointOption StartOption(const VariableGroup& group, const Choice& heads) const;
  std::vector<JointOption> WidthsOf(int variable, const Choice& heads) const;
  void AddWidth(int variable, std::size_t position, JointOption& option) const;
  std::vector<double> Limits(std::optional<double> max_latency_ratio) const;
  std::vector<std::vector<ChoiceOption>> Groups(bool minimize_loss) const;
  Result<Choice> Solve(std::optional<double> max_latency_ratio) const;
  void SpendRest(double max_latency_ratio, Choice& choice) const;

  const SearchProblem& problem_;
  const CostModel& cost_;
  bool limits_size_ = false;
  bool limits_energy_ = false;
  bool relaxed_ = false;
  std::vector<VariableGroup> groups_;
  std::vector<Criterion> criteria_;                // loss, latency and what is limited
  std::vector<std::vector<JointOption>> options_;  // [groups]; widths parallel to the group's
};

}  // namespace bitpilot
