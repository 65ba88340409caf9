// The multiple-choice knapsack problem: pick one option of every group at the lowest total loss,
// within limits on their total costs.
//
//   minimize    sum_g loss[g][x_g]
//   subject to  sum_g cost[g][x_g][r] <= limit[r]  for every resource r
//
// Hides CBC (COIN-OR branch and cut), the integer-program solver.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

struct ChoiceOption {
  double loss = 0.0;
  std::vector<double> costs;  // [resources], not negative
};

// Index of the chosen option of every group: [groups].
using OptionIndices = std::vector<std::size_t>;

// An answer always keeps its limits. It is exact up to the grid that makes answers robust against
// the solver's tolerances: losses are rounded to 2^-20 of about the optimum's total (above the sum
// of the groups' lowest), and a combination within (groups + 2) x 2^-19 of a limit may be passed
// over. Of two options that differ in nothing but costs, the cheaper one is taken. Deterministic:
// one thread, fixed options, no time limit. Not thread-safe (CBC has globals). Prints nothing.
//
// Errors:
//   kInvalidArgument  no group, a group without options, a cost list that is not as long as
//                     `limits`, a number that is not finite, a negative cost or limit.
//   kNotFound         no combination keeps all limits.
//
// Source: Yao et al., "HAWQ-V3: Dyadic Neural Network Quantization", ICML 2021, arXiv:2011.10680,
// section 3.4.
Result<OptionIndices> SolveMultipleChoice(const std::vector<std::vector<ChoiceOption>>& groups,
                                          const std::vector<double>& limits);

// Checks a combination that another solver, or another version, may have given, by its totals: it
// keeps the limits, and no other one has a lower loss, up to the grid above.
//
// costs: [resources].
//
// Errors: kDataCorrupt says which limit it breaks, or how much lower the loss could be; also
// kInvalidArgument, as SolveMultipleChoice().
Status CheckOptimum(const std::vector<std::vector<ChoiceOption>>& groups,
                    const std::vector<double>& limits, double loss,
                    const std::vector<double>& costs);

// Who solves, with the version: "CBC 2.10.8".
std::string IntegerProgramSolver();

}  // namespace bitpilot
