// What a cost table charges for one inference.
#include <array>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/base/cost_table.h"
#include "kernels/base/standard_networks.h"

namespace bitpilot {
namespace {

// Adds `share` of a row to `total`. A sum that lacks one row's energy is no energy.
void AddShare(const Cost& row, double share, Cost& total) {
  total.latency_ns += share * row.latency_ns;
  if (total.energy && row.energy) {
    *total.energy += share * *row.energy;
  } else {
    total.energy.reset();
  }
}

// Channels of each width, so that the order of runs does not matter.
std::array<int, 9> ChannelsPerWidth(const std::vector<ChannelRun>& runs) {
  std::array<int, 9> channels{};
  for (const ChannelRun& run : runs) channels[static_cast<std::size_t>(run.bits)] += run.channels;
  return channels;
}

using Names = std::set<std::string>;

Names LayersOf(const Topology& topology) {
  Names layers;
  for (const int operation : LayerOperations(topology)) {
    layers.insert(topology.operations[static_cast<std::size_t>(operation)].name);
  }
  return layers;
}

Names LayersOf(const CostTable& table) {
  Names layers;
  for (const auto& [key, cost] : table.operations) {
    const auto& [name, weights, activations] = key;
    if (weights != 0) layers.insert(name);
  }
  return layers;
}

// Why a layer that a table does not have at any width is missing: it is usually of another network.
std::string WhoseTable(const CostTable& table, const Topology& topology) {
  const Names layers = LayersOf(table);
  for (const std::string& name : StandardNetworkNames()) {
    const Result<Topology> known = StandardTopology(name);
    if (known.ok() && name != topology.name && LayersOf(*known) == layers) {
      return "it is a table of " + name + ", not of " + topology.name;
    }
  }
  return "is it a table of another network than " + topology.name + "? " +
         (layers.empty() ? "It has no layers" : "Its layers begin with " + *layers.begin());
}

Status MissingRow(const CostTable& table, const Topology& topology, const Operation& op, int bits,
                  int activation_bits) {
  const std::string row = "'op " + op.name + " w " + std::to_string(bits) + " a " +
                          std::to_string(activation_bits) + " latency_ns NUMBER'";
  std::string text = "cost table '" + table.name + "' has no row " + row;
  if (!LayersOf(table).contains(op.name)) text += ": " + WhoseTable(table, topology);
  return Status(StatusCode::kNotFound, text);
}

Status AddLayer(const CostTable& table, const Topology& topology, const Operation& op,
                const std::vector<ChannelRun>& runs, int activation_bits, Cost& total) {
  const std::array<int, 9> channels = ChannelsPerWidth(runs);
  for (int bits = 1; bits <= 8; ++bits) {
    const int count = channels[static_cast<std::size_t>(bits)];
    if (count == 0) continue;
    const std::tuple<std::string, int, int> key(op.name, bits, activation_bits);
    const auto row = table.operations.find(key);
    if (row == table.operations.end()) {
      return MissingRow(table, topology, op, bits, activation_bits);
    }
    AddShare(row->second, static_cast<double>(count) / op.out_channels, total);
  }
  return Status();
}

}  // namespace

Result<std::vector<Cost>> PredictOperationCosts(const CostTable& table, const Topology& topology,
                                                const BitAssignment& assignment) {
  BITPILOT_RETURN_IF_ERROR(ValidateAssignment(topology, assignment));
  Cost free;
  if (!table.energy_unit.empty()) free.energy = 0.0;
  std::vector<Cost> costs(topology.operations.size(), free);
  std::size_t layer = 0;
  for (std::size_t i = 0; i < costs.size(); ++i) {
    const Operation& op = topology.operations[i];
    if (HasWeights(op)) {
      const int activation_bits = assignment.activation_bits[static_cast<std::size_t>(op.input)];
      BITPILOT_RETURN_IF_ERROR(AddLayer(table, topology, op, assignment.weight_bits[layer++],
                                        activation_bits, costs[i]));
      continue;
    }
    const auto row = table.operations.find({op.name, 0, 0});
    if (row != table.operations.end()) AddShare(row->second, 1.0, costs[i]);
  }
  return costs;
}

Result<Cost> PredictCost(const CostTable& table, const Topology& topology,
                         const BitAssignment& assignment) {
  const Result<std::vector<Cost>> costs = PredictOperationCosts(table, topology, assignment);
  if (!costs.ok()) return costs.status();
  Cost total;
  total.latency_ns = table.overhead_latency_ns;
  if (!table.energy_unit.empty()) total.energy = table.overhead_energy;
  for (const Cost& cost : *costs) AddShare(cost, 1.0, total);
  return total;
}

}  // namespace bitpilot
