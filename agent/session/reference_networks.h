// Reference networks: what boards of one class measure to be compared with each other.
#pragma once

#include <cstddef>
#include <vector>

#include "agent/study/search_config.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/topology.h"

namespace bitpilot {

inline constexpr std::size_t kMaxReferenceNetworks = 8;

// Widths of networks of the search's own choices, as unlike each other as these are: uniform 8 bit, then
// the lowest widths everywhere, in weights alone and in activations alone, then drawn ones. No two are
// equal; kMaxReferenceNetworks, or as many as there are. The same for every seed of a search.
std::vector<BitAssignment> ReferenceAssignments(const Topology& topology,
                                                const SearchConfig& config);

// Networks of these widths, of random weights: what they cost does not depend on those.
std::vector<Network> ReferenceNetworks(const Topology& topology,
                                       const std::vector<BitAssignment>& assignments);

}  // namespace bitpilot
