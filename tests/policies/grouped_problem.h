// Search problems whose variables are groups of channels or single channels, built directly: a table
// by a formula and drawn sensitivities.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/standard_networks.h"
#include "policies/plain_math.h"
#include "policies/random_stream.h"
#include "policies/search_problem.h"

namespace bitpilot {

// A hostile little network: 24 channels (no multiple of 16), depthwise, one channel, ends.
inline Topology UnevenTopology() {
  Topology topology;
  topology.name = "uneven";
  topology.input = {8, 8, 3};
  const auto conv = [](const std::string& name, int input, int channels, int groups) {
    Operation op;
    op.name = name;
    op.input = input;
    op.out_channels = channels;
    op.kernel_h = op.kernel_w = 3;
    op.padding = {1, 1, 1, 1};
    op.groups = groups;
    op.activation = Activation::kRelu;
    return op;
  };
  topology.operations = {conv("first", 0, 24, 1), conv("depthwise", 1, 24, 24),
                         conv("wide", 2, 40, 1), conv("single", 3, 1, 1)};
  Operation last;
  last.kind = OperationKind::kFullyConnected;
  last.name = "last";
  last.input = 4;
  last.out_channels = 10;
  topology.operations.push_back(last);
  return topology;
}

// Times that depend on both widths and are not monotone.
inline double GroupedTimeNs(const Topology& topology, int operation, int weights, int activations) {
  return 1e-3 * static_cast<double>(Macs(topology, operation)) *
         (2.0 + weights + 0.5 * activations + (weights * activations) % 5);
}

// One variable for each `channels` channels of a layer (0: whole layers) and one for each tensor; the
// ends keep 8 bits.
inline SearchProblem GroupedProblem(Topology topology, int channels, std::vector<int> widths,
                                    std::uint64_t seed = 1) {
  SearchProblem problem;
  problem.topology = std::move(topology);
  problem.base = UniformAssignment(problem.topology, 8, 8);
  problem.uniform8 = {1e6, 0.4, 0.87};
  problem.anchor.readings = {{0, 0.4, 0.01, 0.13}};
  problem.max_measurements = 24;
  problem.table.name = "grouped";
  problem.table.source = "a formula";
  RandomStream random(seed, "grouped problem");
  const auto add = [&](DecisionVariable variable, double size) {
    variable.widths = widths;
    const double scale = size * PlainExp(random.NextNormal());
    for (const int width : widths) {
      variable.sensitivity.push_back(width == 8 ? 0.0 : scale * PlainExp(-0.9 * width));
    }
    problem.variables.push_back(std::move(variable));
  };
  const BitAssignment narrow = UniformAssignment(problem.topology, 2, 2);
  const std::vector<int> layers = LayerOperations(problem.topology);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Operation& op = problem.topology.operations[static_cast<std::size_t>(layers[l])];
    for (int w = 1; w <= 8; ++w) {
      for (int a = 1; a <= 8; ++a) {
        problem.table.operations[{op.name, w, a}] = {
            GroupedTimeNs(problem.topology, layers[l], w, a), std::nullopt};
      }
    }
    if (narrow.weight_bits[l].front().bits == 8) continue;
    const int size = channels == 0 ? op.out_channels : channels;
    for (int first = 0; first < op.out_channels; first += size) {
      DecisionVariable variable;
      variable.index = static_cast<int>(l);
      variable.name = op.name + "[" + std::to_string(first) + "]";
      const int count = std::min(size, op.out_channels - first);
      if (count < op.out_channels) variable.channels = {first, count};
      add(std::move(variable), static_cast<double>(count) / op.out_channels);
    }
  }
  for (int t = 1; t < problem.topology.num_stored_tensors(); ++t) {
    if (narrow.activation_bits[static_cast<std::size_t>(t)] == 8) continue;
    DecisionVariable variable;
    variable.kind = DecisionVariable::Kind::kActivations;
    variable.index = t;
    variable.name = TensorName(problem.topology, t);
    add(std::move(variable), 1.0);
  }
  return problem;
}

}  // namespace bitpilot
