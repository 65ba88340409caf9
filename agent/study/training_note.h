// Whether the rows of a final table are trained alike, in words.
#pragma once

#include <string>

#include "agent/study/events.h"

namespace bitpilot {

// For people, a sentence or two: how the rows were trained, and whether the table compares equals;
// empty where nothing trained.
std::string DescribeTraining(const FinalEvent& final);

// Of one row: "calibrated only", "820 mini-batches, the last 52 at these widths, from search".
std::string DescribeTraining(const FinalRow& row);

}  // namespace bitpilot
