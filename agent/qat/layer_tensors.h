// LayerTensors: the float parameters of one layer as LibTorch tensors, and networks with batch norm
// folded into them.
#pragma once

#include <torch/torch.h>

#include <span>
#include <vector>

#include "agent/model/float_weights.h"
#include "agent/qat/channel_statistics.h"
#include "agent/qat/operation_runner.h"
#include "agent/qat/state_bank.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Output channels come first in memory, each one's weights together in the order [KH, KW, I /
// groups].
struct LayerTensors {
  at::Tensor weight;   // [O, I / groups, KH, KW] channels-last, or [O, H * W * C]
  at::Tensor bias;     // [O], or undefined
  at::Tensor gamma;    // [O], or undefined: no batch norm
  at::Tensor beta;     // [O], likewise
  double epsilon = 0;  // of the batch norm

  bool has_batch_norm() const { return gamma.defined(); }
  // Every defined parameter, in a fixed order.
  std::vector<at::Tensor> Parameters() const;
};

// Copies of the parameters; a fully connected layer's columns are reordered from [C, H, W] to [H,
// W, C].
//
// REQUIRES: `weights` belongs to `topology`.
std::vector<LayerTensors> ToLayerTensors(const Topology& topology, const FloatWeights& weights);

// The other way round; `statistics` gives each layer's batch-norm running statistics.
FloatWeights ToFloatWeights(const Topology& topology, const std::vector<LayerTensors>& layers,
                            const LayerStatistics& statistics);

// Memory of a contiguous or channels-last tensor, in memory order.
std::span<float> Values(const at::Tensor& tensor);

// A layer's outputs, normalized by their own mean and variance over images and places where it has batch
// norm: as a network trains.
at::Tensor NormalizeBatch(const LayerTensors& layer, const at::Tensor& value);

// Batch norm as y = x * scale + shift, per channel.
struct ChannelAffine {
  std::vector<double> scale;  // [O]
  std::vector<double> shift;  // [O], the layer's bias included
};

// Of a layer without batch norm: scale 1 and the bias.
ChannelAffine FoldBatchNorm(const LayerTensors& layer,
                            std::span<const ChannelStatistics> statistics);

// Of every layer.
std::vector<ChannelAffine> FoldAll(const std::vector<LayerTensors>& layers,
                                   const LayerStatistics& statistics);

// A network for inference: batch norm folded into weights and biases, and, if there are quantizers,
// outputs fake-quantized.
class FoldedNetwork : public OperationHooks {
 public:
  // weights[l]: as LayerTensors::weight, float or already fake-quantized; not changed.
  // affine[l]: FoldBatchNorm().   quantizers: [num_stored_tensors], or empty: float.
  FoldedNetwork(const Topology& topology, const std::vector<at::Tensor>& weights,
                const std::vector<ChannelAffine>& affine, std::vector<StoredQuantizer> quantizers);

  at::Tensor RunLayer(int operation, const at::Tensor& input) override;
  at::Tensor Store(int tensor, at::Tensor value) override;

 private:
  struct Layer {
    at::Tensor weight;
    at::Tensor bias;
  };
  const Topology& topology_;
  std::vector<Layer> layers_;  // [num_operations]; undefined tensors without weights
  std::vector<StoredQuantizer> quantizers_;
};

}  // namespace bitpilot
