// Which widths a search may choose, from the topology and the flags.
#pragma once

#include <vector>

#include "agent/study/search_config.h"
#include "kernels/base/topology.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Channels of a group, consecutive in the float network's order; a layer's last group may have fewer.
inline constexpr int kGroupChannels = 16;

// By config.granularity one variable for each searched layer's weights, for each group of its output
// channels, or for each channel; and one for each searched tensor. Weights first, both in network
// order. A layer of one group (or of one channel) has one variable, like a whole layer. Sensitivities
// are empty, and no positions are tied: the runtime needs none. The input always keeps 8 bits; the
// first and last layer and the tensor that the last layer reads are searched only with
// config.search_ends.
//
// REQUIRES: config.granularity is "layer", "group" or "channel".
std::vector<DecisionVariable> MakeDecisionVariables(const Topology& topology,
                                                    const SearchConfig& config);

}  // namespace bitpilot
