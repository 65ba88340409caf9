// What a search reports at its end: the references, the integer program's answer, and the found
// Pareto front.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "agent/study/events.h"
#include "agent/study/finalist_role.h"
#include "kernels/base/bit_assignment.h"
#include "policies/integer_program.h"
#include "policies/search_problem.h"

namespace bitpilot {

struct Finalist {
  FinalistRole role = FinalistRole::kFront;
  int number = 0;  // of a member of the front: 1, 2, ... by ascending latency
  BitAssignment assignment;
  std::optional<int> step;  // that measured it; absent for references, and where no step did
  std::vector<ClassId> fronts = {};  // of several classes: those whose front it belongs to

  std::string label() const { return LabelOf(role, number); }
};

// The answer that a user of the integer program alone would take: the one with the largest limit
// within the latency budget (the fastest, if none is within it); without a budget the middle one.
//
// The reference lives as long as `program`.
const Choice& AnswerToCompareWith(const Budgets& budgets, const IntegerProgramAnswers& program);

// Uniform 8 and, unless `with_uniform4` is false, 4 bit, then the reportable trials
// (agent/results/reportable_trials.h); the front is thinned to kMaxFrontFinalists by
// dropping whoever adds least hypervolume. Uniform 8 bit is the first.
//
// named: what the policy expects most of after a final training (policies/environment.h Stop), the best
// first; empty where none follows. They are finalists beside the front, which gives way to them.
// Of several classes each one's own
// front follows, thinned to kMaxClassFrontFinalists, as far as it is not of the joint one. A row says of
// which classes' fronts it is, also where those were thinned.
//
// classes: of the search, in its order.
//
// program: the integer program's answers, if the policy asked for them. Where the search measured
// none of them, AnswerToCompareWith() stands among the finalists all the same, without a step. So the
// table always says what a search adds to them.
std::vector<Finalist> ChooseFinalists(const SearchProblem& problem,
                                      const std::vector<ProposalEvent>& proposals,
                                      const std::vector<TransitionEvent>& transitions,
                                      const std::optional<IntegerProgramAnswers>& program,
                                      bool with_uniform4, const std::vector<ClassId>& classes = {},
                                      const std::vector<Choice>& named = {});

}  // namespace bitpilot
