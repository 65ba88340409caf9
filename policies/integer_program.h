// What the integer program answered for a problem, kept apart from the solving of it: answers of
// equal loss are equally good, and which of them comes depends on the solver's version. So a search
// logs its answers, and a replay takes them from the log and checks that each is an optimum.
//
// Source: Yao et al., "HAWQ-V3: Dyadic Neural Network Quantization", ICML 2021, arXiv:2011.10680,
// section 3.4; the sensitivity is a probed loss here, in place of the Hessian's trace.
#pragma once

#include <vector>

#include "kernels/base/status.h"
#include "policies/cost_model.h"
#include "policies/search_problem.h"

namespace bitpilot {

struct IntegerProgramAnswer {
  double max_latency_ratio = 0.0;  // the limit that it was asked for
  Choice choice;                   // lowest predicted loss within it
};

struct IntegerProgramAnswers {
  Choice fastest;  // lowest predicted latency within the size and energy budgets
  // By ascending limit. Two limits may have one choice.
  std::vector<IntegerProgramAnswer> answers;
};

// How many answers a policy that goes on to learn starts with, at most.
inline constexpr int kNumIlpAnswers = 8;

// Lowest predicted loss at `num_answers` limits of the predicted latency ratio, spaced evenly above
// the fastest possible ratio, up to 1. With max_latency_ratio below 1, half of them are spaced
// evenly up to it and the rest from it to 1, because predictions err in both directions. Where
// max_latency_ratio is below the fastest prediction, the fastest choice stands for it: measurements
// decide.
//
// Errors: kInvalidArgument if no choice keeps the size and energy budgets.
//
// REQUIRES: num_answers >= 1.
Result<IntegerProgramAnswers> SolveIntegerProgram(const SearchProblem& problem,
                                                  const CostModel& cost, int num_answers);

// Checks answers that another build, or another version of the solver, gave: the limits are those
// that SolveIntegerProgram() would ask for, every choice is legal and keeps its limits, and no other
// choice has a lower loss (for `fastest`: latency), up to the solver's grid
// (policies/multiple_choice.h). Ties are as they come.
//
// Errors: kDataCorrupt says which answer is wrong, and in what.
Status CheckIntegerProgram(const SearchProblem& problem, const CostModel& cost, int num_answers,
                           const IntegerProgramAnswers& answers);

}  // namespace bitpilot
