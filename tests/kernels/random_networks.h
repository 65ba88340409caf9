// Seeded random assignments and small topologies for tests of networks, files and kernels.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// In [low, high], the same on every standard library (std distributions are not).
inline int RandomInteger(std::mt19937_64& random, int low, int high) {
  return low + static_cast<int>(random() % static_cast<std::uint64_t>(high - low + 1));
}

// Every width at random: weights 0..8 bits, about a third of the layers in several channel runs;
// activations 1..8 bits, the input 8.
inline BitAssignment RandomAssignment(const Topology& topology, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  BitAssignment assignment;
  for (const int layer : LayerOperations(topology)) {
    std::vector<ChannelRun>& runs = assignment.weight_bits.emplace_back();
    int left = topology.operations[static_cast<std::size_t>(layer)].out_channels;
    const bool split = RandomInteger(random, 0, 2) == 0;
    while (left > 0) {
      const int channels = split ? RandomInteger(random, 1, left) : left;
      runs.push_back({channels, RandomInteger(random, 0, 8)});
      left -= channels;
    }
  }
  for (int t = 0; t < topology.num_stored_tensors(); ++t) {
    assignment.activation_bits.push_back(t == 0 ? 8 : RandomInteger(random, 1, 8));
  }
  return assignment;
}

// A network's name as GoogleTest wants a test's: "resnet20-proj" becomes "resnet20proj".
inline std::string TestName(std::string network) {
  std::erase(network, '-');
  return network;
}

inline Operation MakeOperation(OperationKind kind, std::string name, int input, int out_channels) {
  Operation op;
  op.kind = kind;
  op.name = std::move(name);
  op.input = input;
  op.out_channels = out_channels;
  return op;
}

// Every kind of operation on a 5x7 image, with odd channels, asymmetric padding, groups and both
// activations.
inline Topology EveryOperationTopology() {
  Topology topology;
  topology.name = "every-operation";
  topology.input = {5, 7, 3};
  std::vector<Operation>& ops = topology.operations;
  ops.push_back(MakeOperation(OperationKind::kConvolution, "conv", 0, 6));  // 1: 5x7x6
  ops[0].kernel_h = ops[0].kernel_w = 3;
  ops[0].padding = {0, 1, 2, 1};
  ops[0].activation = Activation::kRelu;
  ops.push_back(MakeOperation(OperationKind::kConvolution, "grouped", 1, 4));  // 2: 5x7x4
  ops[1].kernel_h = 1;
  ops[1].kernel_w = 3;
  ops[1].padding = {0, 1, 0, 1};
  ops[1].groups = 2;
  ops.push_back(MakeOperation(OperationKind::kMaxPool, "max", 2, 4));  // 3: 3x4x4
  ops[2].kernel_h = ops[2].kernel_w = 3;
  ops[2].stride_h = ops[2].stride_w = 2;
  ops[2].padding = {1, 1, 1, 1};
  ops.push_back(MakeOperation(OperationKind::kSubsample, "subsample", 1, 9));  // 4: 3x4x9
  ops[3].stride_h = ops[3].stride_w = 2;
  ops[3].pad_channels_before = 1;
  ops.push_back(MakeOperation(OperationKind::kConvolution, "residual", 3, 9));  // 5: 3x4x9
  ops[4].residual = 4;
  ops[4].activation = Activation::kRelu6;
  ops.push_back(MakeOperation(OperationKind::kAdd, "add", 5, 9));  // 6: 3x4x9
  ops[5].residual = 4;
  ops.push_back(MakeOperation(OperationKind::kAveragePool, "average", 6, 9));  // 7: 2x2x9
  ops[6].kernel_h = 2;
  ops[6].kernel_w = 3;
  ops[6].stride_h = 2;
  ops[6].stride_w = 2;
  ops[6].padding = {1, 1, 0, 0};
  ops.push_back(MakeOperation(OperationKind::kFullyConnected, "fc", 7, 5));
  return topology;
}

// A network with every kind of operation, mixed widths and channel runs, of 3 KB.
inline Network SmallNetwork() {
  const Topology topology = EveryOperationTopology();
  return RandomNetwork(topology, RandomAssignment(topology, 5), 17);
}

}  // namespace bitpilot
