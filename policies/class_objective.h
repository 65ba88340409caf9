// What a candidate comes to on several classes of boards, as one number: SearchProblem::class_objective.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "policies/environment.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Figures of one candidate, with the standard deviation of its ratio of latencies.
struct JointMeasured {
  Measured figures;  // is_noisy: of a class that counts
  double latency_deviation = 0.0;
};

// worst  every figure is that of the class on which it is largest, the interval of a ratio with it
// mean   over the classes
// one    that class's alone
//
// An energy is there if all of these know it: a mean of some would be compared with means of all.
//
// nullopt: a class that counts did not measure it, or it failed there. What the others measured is neither
// the worst of all nor a mean that could be compared with means of all.
//
// any_lacking: of the classes that count.
std::optional<JointMeasured> Join(const ClassObjective& objective,
                                  const std::vector<std::pair<ClassId, const Measured*>>& measured,
                                  bool any_lacking);

// The same of what a trial was answered.
std::optional<JointMeasured> JointOf(const ClassObjective& objective, const TrialOutcome& outcome);

// True if what the class answers is among what the objective looks at.
bool Counts(const ClassObjective& objective, const ClassId& on);

}  // namespace bitpilot
