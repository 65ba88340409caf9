// What can be known before anything is loaded or measured: that no candidate can keep a budget, or
// that a model board's table does not reach.
#pragma once

#include "agent/study/search_config.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Errors: kInvalidArgument if the smallest network of the search's widths is above --max-size.
Status CheckSizeBudget(const Topology& topology, const SearchConfig& config);

// Errors: kInvalidArgument if the table lacks a reference (uniform 8 and 4 bit), or a layer at
// every width of the search; if its latencies allow no candidate to keep --max-latency, or its
// energies none to keep --max-energy; if energy is an objective and it has none.
Status CheckModelBoard(const CostTable& table, const Topology& topology,
                       const SearchConfig& config);

}  // namespace bitpilot
