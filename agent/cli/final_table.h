// The table that ends a search, for people.
#pragma once

#include "agent/study/final_event.h"

namespace bitpilot {

// On standard output: accuracy with its interval, paired difference, latency with its interval, ratio,
// weight bytes, budget; then what the candidates cost on the full instruction set. Of several classes the
// latencies are below, each class's apart: ratios can be joined, times of different boards cannot. What a
// model board claims is marked MODEL.
//
// has_budget: the search was given one.
void PrintFinalTable(const FinalEvent& final, bool has_budget);

}  // namespace bitpilot
