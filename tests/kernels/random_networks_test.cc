// What the random networks cover that compiled_network_test.cc runs on every instruction set.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "kernels/base/network.h"
#include "tests/kernels/random_topology.h"

namespace bitpilot {
namespace {

enum LayerKind : std::size_t { kDense, kGrouped, kDepthwise, kFullyConnected, kNumLayerKinds };

LayerKind KindOf(const Operation& operation, const TensorShape& input) {
  if (operation.kind == OperationKind::kFullyConnected) return kFullyConnected;
  if (operation.groups == 1) return kDense;
  const bool depthwise =
      operation.groups == input.channels && operation.out_channels == input.channels;
  return depthwise ? kDepthwise : kGrouped;
}

struct Coverage {
  int pairs[kNumLayerKinds][9][9] = {};  // [kind][weight bits][activation bits], layers
  int partly_pruned[kNumLayerKinds] = {};
  int negative_scales[kNumLayerKinds] = {};
  int residuals[kNumLayerKinds] = {};
};

void Count(const Network& network, Coverage& coverage) {
  const std::vector<TensorShape> shapes = TensorShapes(network.topology);
  for (std::size_t i = 0; i < network.operations.size(); ++i) {
    const Operation& operation = network.topology.operations[i];
    if (!HasWeights(operation)) continue;
    const auto input = static_cast<std::size_t>(operation.input);
    const LayerKind kind = KindOf(operation, shapes[input]);
    const std::vector<std::uint8_t>& bits = network.operations[i].weights.channel_bits;
    for (int weight_bits = 0; weight_bits <= 8; ++weight_bits) {
      if (std::find(bits.begin(), bits.end(), weight_bits) != bits.end()) {
        ++coverage.pairs[kind][weight_bits][network.tensors[input].bits];
      }
    }
    const auto [least, most] = std::minmax_element(bits.begin(), bits.end());
    coverage.partly_pruned[kind] += *least == 0 && *most > 0 ? 1 : 0;
    const std::vector<float>& scale = network.operations[i].output.scale;
    coverage.negative_scales[kind] += *std::min_element(scale.begin(), scale.end()) < 0 ? 1 : 0;
    coverage.residuals[kind] += operation.residual >= 0 ? 1 : 0;
  }
}

TEST(RandomNetworksTest, CoverEveryPairOfWidthsInEveryKindOfLayer) {
  Coverage coverage;
  for (std::uint64_t seed = 0; seed < kNumRandomNetworks; ++seed) {
    Count(RandomNetworkOfSeed(seed), coverage);
  }
  for (const LayerKind kind : {kDense, kGrouped, kDepthwise, kFullyConnected}) {
    for (int weight_bits = 0; weight_bits <= 8; ++weight_bits) {
      for (int activation_bits = 1; activation_bits <= 8; ++activation_bits) {
        EXPECT_GE(coverage.pairs[kind][weight_bits][activation_bits], 2)
            << "kind " << kind << " w" << weight_bits << "a" << activation_bits;
      }
    }
    EXPECT_GE(coverage.partly_pruned[kind], 30) << "kind " << kind;
    EXPECT_GE(coverage.negative_scales[kind], 30) << "kind " << kind;
  }
  for (const LayerKind kind : {kDense, kDepthwise}) {
    EXPECT_GE(coverage.residuals[kind], 30) << "kind " << kind;
  }
}

}  // namespace
}  // namespace bitpilot
