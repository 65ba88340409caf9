#include "agent/profile/missing_pairs.h"

#include <algorithm>
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

// Drops the width that lacks the largest share of its pairs; false if there is none but 8 bits to drop.
bool DropWorst(const std::set<WidthPair>& missing, std::set<int>& weights,
               std::set<int>& activations) {
  std::map<int, int> of_weights;
  std::map<int, int> of_activations;
  for (const auto& [weight, activation] : missing) {
    if (!weights.contains(weight) || !activations.contains(activation)) continue;
    if (weight != 8) ++of_weights[weight];
    if (activation != 8) ++of_activations[activation];
  }
  const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
  const auto weight = std::max_element(of_weights.begin(), of_weights.end(), fewer);
  const auto activation = std::max_element(of_activations.begin(), of_activations.end(), fewer);
  if (weight == of_weights.end() && activation == of_activations.end()) return false;
  const auto share = [](int count, const std::set<int>& others) {
    return static_cast<double>(count) / static_cast<double>(others.size());
  };
  if (activation == of_activations.end() ||
      (weight != of_weights.end() &&
       share(weight->second, activations) >= share(activation->second, weights))) {
    weights.erase(weight->first);
  } else {
    activations.erase(activation->first);
  }
  return true;
}

std::string ListOf(const std::set<int>& widths) {
  std::string list;
  for (const int bits : widths) list += (list.empty() ? "" : ",") + std::to_string(bits);
  return list;
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

std::string FlagsWithout(const std::set<WidthPair>& missing, const SearchWidths& widths) {
  std::set<int> weights = WithEight(widths.weights);
  std::set<int> activations = WithEight(widths.activations);
  while (DropWorst(missing, weights, activations)) {
  }
  if (weights.size() == 1 && activations.size() == 1) return "";
  if (weights == activations) return "--widths " + ListOf(weights);
  return "--weight-widths " + ListOf(weights) + " --activation-widths " + ListOf(activations);
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
