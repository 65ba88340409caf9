#include "agent/qat/float_network.h"

#include <utility>

#include "agent/qat/calibrator.h"
#include "agent/qat/operation_runner.h"

namespace bitpilot {
namespace {

FoldedNetwork Fold(const Topology& topology, const std::vector<LayerTensors>& layers,
                   const FloatWeights& weights) {
  std::vector<at::Tensor> tensors;
  for (const LayerTensors& layer : layers) tensors.push_back(layer.weight);
  return FoldedNetwork(topology, tensors, FoldAll(layers, RunningStatistics(weights)), {});
}

// Batch norm by the statistics of the images that pass.
class BatchNetwork : public OperationHooks {
 public:
  BatchNetwork(const Topology& topology, const std::vector<LayerTensors>& layers)
      : topology_(topology), layers_(layers), layer_of_operation_(LayerIndices(topology)) {}

  at::Tensor RunLayer(int operation, const at::Tensor& input) override {
    const auto index = static_cast<std::size_t>(operation);
    const LayerTensors& layer = layers_[static_cast<std::size_t>(layer_of_operation_[index])];
    return NormalizeBatch(layer,
                          ApplyLayer(topology_.operations[index], input, layer.weight, layer.bias));
  }
  at::Tensor Store(int tensor, at::Tensor value) override {
    const auto operation = static_cast<std::size_t>(tensor - 1);
    return ApplyActivation(topology_.operations[operation].activation, std::move(value));
  }

 private:
  const Topology& topology_;
  const std::vector<LayerTensors>& layers_;
  std::vector<int> layer_of_operation_;
};

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
      layers_(ToLayerTensors(topology_, weights)),
      network_(Fold(topology_, layers_, weights)) {}

at::Tensor FloatNetwork::Teach(const ImageDataset& data, std::span<const std::uint32_t> indices,
                               std::span<const Augmentation> augmentations) {
  const torch::NoGradGuard no_gradient;
  BatchNetwork network(topology_, layers_);
  return RunNetwork(topology_, network, ImageTensor(data, indices, augmentations, pixels_));
}

Evaluation FloatNetwork::Evaluate(const ImageDataset& data) {
  return EvaluateNetwork(topology_, network_, data, pixels_);
}

}  // namespace bitpilot
