// Which widths a search may choose, from the topology and the flags.
#pragma once

#include <vector>

#include "agent/study/search_config.h"
#include "kernels/base/topology.h"
#include "policies/search_problem.h"

namespace bitpilot {

// One variable a searched layer's weights and one a searched tensor, weights first, both in network
// order. Sensitivities are empty. The input always keeps 8 bits; the first and last layer and the
// tensor that the last layer reads are searched only with config.search_ends.
std::vector<DecisionVariable> MakeDecisionVariables(const Topology& topology,
                                                    const SearchConfig& config);

}  // namespace bitpilot
