// The rows of the final table of several classes: what the search's objective makes of each class's.
#pragma once

#include <functional>
#include <vector>

#include "agent/study/final_event.h"
#include "policies/search_problem.h"

namespace bitpilot {

// One row a finalist. Of a single class its own rows. Accuracies and widths are the same on all classes;
// of the rest:
//
//   one    all figures are that class's
//   worst  all figures are those of the class on which the row's ratio is largest; budgets are kept if they
//          are on every class
//   mean   ratios and latencies are means, and have no one board; there are no energies in joules; budgets
//          are kept as `keeps_budgets` says of such a row
//
// Of worst a row is faster than uniform 8 bit if it is on every class, by the largest of their p values,
// and slower if it is on any, by the smallest, times the number of classes (Bonferroni). Of mean, to which
// no rounds belong, nothing is said: a row of .7x may be faster on one class and slower on another. Of
// both a row is not told apart from another one if no class tells them apart; it has no ratio, and keeps no
// budgets, if a class measured none.
//
// REQUIRES: classes have parallel rows; the objective's class is among them.
using KeepsBudgetsOf = std::function<bool(const FinalRow&)>;
std::vector<FinalRow> JointRows(const ClassObjective& objective,
                                const std::vector<ClassFinal>& classes,
                                const KeepsBudgetsOf& keeps_budgets);

}  // namespace bitpilot
