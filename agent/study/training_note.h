// Whether the rows of a final table are trained alike, in words, and what training its search's budget
// does not hold.
#pragma once

#include <string>

#include "agent/study/final_event.h"
#include "policies/search_problem.h"

namespace bitpilot {

// For people, a sentence or two: how the rows were trained, and whether the table compares equals;
// empty where nothing trained.
std::string DescribeTraining(const FinalEvent& final);

// Of one row: "calibrated only", "820 mini-batches, the last 52 at these widths, from search".
std::string DescribeTraining(const FinalRow& row);

// Mini-batches that a search trains outside of its budgets.
struct TrainingBeside {
  int uniform8_alone = 0;  // the twin's (agent/session/twin.h), by this search or an earlier one
  // For this table: networks of different widths, and what each took; those that diverged aside.
  int final_networks = 0;
  int final_batches = 0;
};
// anchor: the search's; without readings in studies of an older bitpilot.
TrainingBeside TrainingBesideOf(const Anchor& anchor, const FinalEvent& final);

// For people: "uniform 8 bit alone 180 mini-batches (...), then 11 networks of this table 20 each";
// empty where nothing trained.
std::string Describe(const TrainingBeside& beside);

}  // namespace bitpilot
