// WidthLadder: the widths of the lowest loss at each of several limits on the cost, in one drawn world.
//
//   minimize    sum over variables i of loss[i][b_i]
//   subject to  fixed + sum over operations o of factor[o] cost_o(b) <= limit
//
// The multiple-choice knapsack by dynamic programming over a grid of costs: one pass gives all limits.
// policies/multiple_choice.h is exact to the last digit, and slower by far; its answers also depend on
// the solver's version. This is plain float64, for decisions that draw many worlds.
#pragma once

#include <cstdint>
#include <vector>

#include "policies/bit_allocator.h"
#include "policies/cost_model.h"
#include "policies/search_problem.h"
#include "policies/variable_groups.h"
#include "policies/width_index.h"

namespace bitpilot {

// Of each operation of the cost model, what one unit of its predicted ratio counts.
struct CostFactors {
  double fixed = 0.0;                // that no width changes
  std::vector<double> latency = {};  // [operations]; empty: latency does not count
  std::vector<double> energy = {};   // [operations]; empty: energy does not count
};

class WidthLadder {
 public:
  // `problem` and `cost` must outlive it.
  WidthLadder(const SearchProblem& problem, const CostModel& cost);

  // The best choice within each limit: exact up to 1/2048 of the largest limit (where operations of
  // one group read several searched tensors, or have channels of fixed width beside a tensor of fixed
  // width, only about), and never above its limit, except that the cheapest choice stands in where
  // none is within.
  //
  // losses: [index().num_widths()], nats. limits: not empty.
  //
  // REQUIRES: positive limits, the largest above factors.fixed.
  std::vector<Choice> Best(const std::vector<double>& losses, const CostFactors& factors,
                           const std::vector<double>& limits) const;

  // The choice of least cost; of several the one of the narrowest first variables.
  Choice Cheapest(const CostFactors& factors) const;

  // What the limits limit.
  double CostOf(const Choice& choice, const CostFactors& factors) const;

  const WidthIndex& index() const { return index_; }

 private:
  // Given the first variable's width, a variable's widths cost this many cells each.
  using Cells = std::vector<int>;
  // How the best combination of each cost was reached: positions of widths, [cells].
  struct Stage {
    int variable = 0;
    Cells cost;                         // [widths]
    std::vector<std::int8_t> position;  // [cells]
  };
  struct GroupPass {
    std::vector<std::vector<Stage>> stages;  // [widths of the first variable][variables]
    std::vector<std::int8_t> first;          // [cells]
  };

  double OperationCost(int operation, const Choice& choice, const CostFactors& factors) const;
  // What of an operation's cost is `variable`'s: of its own channels; of a tensor that the operation
  // reads, that of the channels whose width is fixed.
  double ShareOf(int operation, int variable, const Choice& choice,
                 const CostFactors& factors) const;
  // The shares of all its operations with `variable` at each of its widths.
  Cells CellsOf(int variable, Choice choice, const CostFactors& factors, double cell) const;
  GroupPass Pass(const VariableGroup& group, const std::vector<double>& losses,
                 const CostFactors& factors, double cell, std::vector<double>* best) const;
  Choice TraceBack(const std::vector<GroupPass>& passes, int cells) const;

  const SearchProblem& problem_;
  const CostModel& cost_;
  WidthIndex index_;
  std::vector<VariableGroup> groups_;
};

}  // namespace bitpilot
