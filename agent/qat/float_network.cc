#include "agent/qat/float_network.h"

namespace bitpilot {
namespace {

FoldedNetwork Fold(const Topology& topology, const FloatWeights& weights) {
  const std::vector<LayerTensors> layers = ToLayerTensors(topology, weights);
  std::vector<at::Tensor> tensors;
  for (const LayerTensors& layer : layers) tensors.push_back(layer.weight);
  return FoldedNetwork(topology, tensors, FoldAll(layers, RunningStatistics(weights)), {});
}

}  // namespace

LayerStatistics RunningStatistics(const FloatWeights& weights) {
  LayerStatistics statistics;
  for (const FloatLayerWeights& layer : weights.layers) {
    std::vector<ChannelStatistics>& channels = statistics.emplace_back();
    if (!layer.batch_norm) continue;
    for (std::size_t c = 0; c < layer.batch_norm->mean.size(); ++c) {
      channels.push_back({layer.batch_norm->mean[c], layer.batch_norm->variance[c]});
    }
  }
  return statistics;
}

FloatNetwork::FloatNetwork(const ModelDefinition& definition, const FloatWeights& weights)
    : topology_(definition.topology),
      pixels_(FloatPixelTable(definition)),
      network_(Fold(topology_, weights)) {}

at::Tensor FloatNetwork::Logits(const ImageDataset& data, std::span<const std::uint32_t> indices,
                                std::span<const Augmentation> augmentations) {
  const torch::NoGradGuard no_gradient;
  return RunNetwork(topology_, network_, ImageTensor(data, indices, augmentations, pixels_));
}

Evaluation FloatNetwork::Evaluate(const ImageDataset& data) {
  return EvaluateNetwork(topology_, network_, data, pixels_);
}

}  // namespace bitpilot
