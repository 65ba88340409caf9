// BitAssignment: how many bits each layer's weights and each stored tensor have.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// `channels` consecutive output channels, in the float network's order, at `bits` bits.
struct ChannelRun {
  int channels = 0;
  int bits = 8;  // In [0, 8]; 0: pruned, every weight is 0
  friend bool operator==(const ChannelRun&, const ChannelRun&) = default;
};

// Widths of one candidate. Layers and tensors are in network order, ends included: layer l is
// LayerOperations(topology)[l], tensor t is stored tensor t (0 is the input, always 8 bits).
struct BitAssignment {
  std::vector<std::vector<ChannelRun>>
      weight_bits;                   // [layers]; runs sum to the layer's output channels
  std::vector<int> activation_bits;  // [stored tensors], each in [1, 8]
  friend bool operator==(const BitAssignment&, const BitAssignment&) = default;
};

// Every layer at `weight_bits`, every tensor at `activation_bits`. The first and last layer, the
// input and the tensor that the last layer reads keep 8 bits unless `search_ends` (the input keeps
// them always).
BitAssignment UniformAssignment(const Topology& topology, int weight_bits, int activation_bits,
                                bool search_ends = false);

// Errors:
//   kInvalidArgument  wrong number of layers or tensors, runs that do not sum to the layer's
//                     channels, a width outside 1..8 (0..8 for weights), an input that is not 8
//                     bits; names the layer or tensor.
Status ValidateAssignment(const Topology& topology, const BitAssignment& assignment);

// Sum of weights x bits / 8, rounded up to whole bytes once: no scales, biases or padding.
std::int64_t WeightBytes(const Topology& topology, const BitAssignment& assignment);

// Canonical JSON: {"activation_bits":[8,4],"weight_bits":[8,[[8,4],[8,2]]]}. Keys sorted, no
// spaces, equal neighbouring runs merged, a layer with one run written as a number. Two assignments
// are equal exactly if their canonical texts are.
std::string CanonicalText(const BitAssignment& assignment);

// Hex SHA-256 of CanonicalText(): the candidate's identity in studies and caches.
std::string AssignmentId(const BitAssignment& assignment);

// Bits of every output channel of one layer, [channels].
std::vector<int> ExpandRuns(const std::vector<ChannelRun>& runs);

// The other way round; neighbours of one width are one run: the form in which CanonicalText() writes
// a layer, and equal layers are equal.
std::vector<ChannelRun> RunsOf(const std::vector<int>& channel_bits);

// Short form for logs: "w 8-4-4-[16x4+16x2]-8 a 8-4-4-8"
std::string ToString(const BitAssignment& assignment);

}  // namespace bitpilot
