// Which of the rows that a search found (IsFound()) are shown first: chosen by validation images and by
// the final latencies, never by what the test images say. Those are read once, to tell what the choice
// is worth; a row picked because its test accuracy is high would look better than it is.
//
// Final training and final latencies may put the members of fronts in another order than the search saw:
// of several classes a member of one class's front may come before all of the joint one.
#pragma once

#include <string>
#include <vector>

#include "agent/study/final_event.h"

namespace bitpilot {

// False if the others trained after the search and uniform 8 bit, the first row, did not, because its
// training diverged: then nothing is to be compared with it.
bool IsReferenceTrained(const FinalEvent& final);

// The found row with the lowest latency ratio whose validation accuracy is at most `points`
// percentage points below that of uniform 8 bit. Null if there is none, unless IsReferenceTrained(), and
// in studies of an older bitpilot, whose rows have no validation accuracy.
const FinalRow* FastestWithin(const FinalEvent& final, double points);

// The found row with the highest validation accuracy, of equals the faster. Null as above.
const FinalRow* MostAccurateOnValidation(const FinalEvent& final);

// The rows from no search (references, the integer program's answer) that the same rule puts before the
// row found, where ratios within 1 % of each other are equal: at a lower ratio within as many points;
// with a higher validation accuracy, or an equal one at a lower ratio. Where nobody was found, before
// uniform 8 bit. A row whose widths a found row with figures has was found. In the table's
// order; empty unless IsReferenceTrained(), and of rows without figures.
std::vector<const FinalRow*> NotFromSearchButFaster(const FinalEvent& final, double points);
std::vector<const FinalRow*> NotFromSearchButMoreAccurate(const FinalEvent& final);

// For people, what the rules chose and who is before it: "fastest within 1 point of 8 bit: front 3
// (at a lower ratio, and not from the search: ilp start); ...", or "...: none found (faster than 8
// bit, and not from the search: uniform 4 bit)". A rule for which there is nobody at all is left out.
std::string DescribeChoice(const FinalEvent& final);

// What a budget on accuracy is about, in [0, 1]: the validation accuracy. Of rows without one, in
// studies of an older bitpilot, the test accuracy, as that bitpilot judged them.
double BudgetedAccuracy(const FinalRow& row);

}  // namespace bitpilot
