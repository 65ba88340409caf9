// Which rows of a table a search asks for, and what stands for those that were not measured.
#pragma once

#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "kernels/base/cost_table.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Widths that a search may choose, each in [1, 8]. 8 bits are always among them, because uniform 8
// bit is what everything is compared with.
struct SearchWidths {
  std::vector<int> weights;
  std::vector<int> activations;
  bool ends = false;  // also of the ends (UniformAssignment()'s search_ends)
};

// Operation, weight bits, activation bits: CostTable::operations' keys.
using PairKey = std::tuple<std::string, int, int>;

// Every pair of every layer.
std::set<PairKey> NeededPairs(const Topology& topology, const SearchWidths& widths);

// Weight bits, activation bits.
using WidthPair = std::pair<int, int>;

// What of `widths` can be searched without the missing pairs, as flags of `bitpilot search`: "--widths
// 4,8". Leaves out one width after the other, first the one that lacks the largest share of its pairs,
// 8 bits never. Empty if nothing else would be left.
std::string FlagsWithout(const std::set<WidthPair>& missing, const SearchWidths& widths);

// Gives each of `needed` without a row that of the pair of no fewer weight bits and no fewer
// activation bits that has the fewest extra bits (of two, the one of fewer weight bits): a missing
// time is never an optimistic one of narrower widths. A layer without such a row gets none.
//
// Returns those that were given one.
std::vector<PairKey> FillMissingPairs(const std::set<PairKey>& needed, CostTable& table);

}  // namespace bitpilot
