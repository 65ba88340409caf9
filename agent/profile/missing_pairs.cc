#include "agent/profile/missing_pairs.h"

#include <map>
#include <optional>

#include "kernels/base/bit_assignment.h"

namespace bitpilot {
namespace {

std::optional<Cost> NextWider(const std::map<PairKey, Cost>& rows, const PairKey& missing) {
  const auto& [name, weights, activations] = missing;
  std::optional<Cost> best;
  int best_extra = 0;
  for (auto row = rows.lower_bound(missing); row != rows.end(); ++row) {
    const auto& [other_name, other_weights, other_activations] = row->first;
    if (other_name != name) break;
    const int extra = other_weights - weights + other_activations - activations;
    if (other_activations < activations || (best && extra >= best_extra)) continue;
    best = row->second;
    best_extra = extra;
  }
  return best;
}

std::set<int> WithEight(const std::vector<int>& bits) {
  std::set<int> all(bits.begin(), bits.end());
  all.insert(8);
  return all;
}

}  // namespace

std::set<PairKey> NeededPairs(const Topology& topology, const SearchWidths& widths) {
  const std::vector<int> layers = LayerOperations(topology);
  std::set<PairKey> needed;
  for (const int weights : WithEight(widths.weights)) {
    for (const int activations : WithEight(widths.activations)) {
      const BitAssignment assignment =
          UniformAssignment(topology, weights, activations, widths.ends);
      for (std::size_t l = 0; l < layers.size(); ++l) {
        const Operation& op = topology.operations[static_cast<std::size_t>(layers[l])];
        needed.insert({op.name, assignment.weight_bits[l].front().bits,
                       assignment.activation_bits[static_cast<std::size_t>(op.input)]});
      }
    }
  }
  return needed;
}

std::vector<PairKey> FillMissingPairs(const std::set<PairKey>& needed, CostTable& table) {
  const std::map<PairKey, Cost> known = table.operations;
  std::vector<PairKey> filled;
  for (const PairKey& key : needed) {
    if (known.contains(key)) continue;
    const std::optional<Cost> cost = NextWider(known, key);
    if (!cost) continue;
    table.operations[key] = *cost;
    filled.push_back(key);
  }
  return filled;
}

}  // namespace bitpilot
