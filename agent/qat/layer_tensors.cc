#include "agent/qat/layer_tensors.h"

#include <cmath>
#include <utility>

#include "agent/qat/channel_affine.h"
#include "agent/qat/lsq_kernels.h"

namespace bitpilot {
namespace {

at::Tensor CopyOf(const std::vector<float>& values) {
  return torch::tensor(values, torch::kFloat32);
}

std::vector<float> ToVector(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

// Reorders the columns of a fully connected layer, [O, C, H, W] to [O, H, W, C] or back.
at::Tensor ReorderColumns(const at::Tensor& weight, const TensorShape& input, bool to_hwc) {
  const std::int64_t outputs = weight.size(0);
  const at::Tensor reordered =
      to_hwc ? weight.reshape({outputs, input.channels, input.height, input.width})
                   .permute({0, 2, 3, 1})
             : weight.reshape({outputs, input.height, input.width, input.channels})
                   .permute({0, 3, 1, 2});
  return reordered.reshape({outputs, -1}).contiguous();
}

}  // namespace

std::vector<at::Tensor> LayerTensors::Parameters() const {
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& tensor : {weight, bias, gamma, beta}) {
    if (tensor.defined()) parameters.push_back(tensor);
  }
  return parameters;
}

std::vector<LayerTensors> ToLayerTensors(const Topology& topology, const FloatWeights& weights) {
  const std::vector<TensorShape> shapes = TensorShapes(topology);
  const std::vector<int> operations = LayerOperations(topology);
  std::vector<LayerTensors> layers;
  for (std::size_t l = 0; l < operations.size(); ++l) {
    const Operation& operation = topology.operations[static_cast<std::size_t>(operations[l])];
    const FloatLayerWeights& source = weights.layers[l];
    LayerTensors layer;
    const at::Tensor weight = CopyOf(source.weight).reshape(source.shape);
    if (operation.kind == OperationKind::kFullyConnected) {
      const TensorShape& input = shapes[static_cast<std::size_t>(operation.input)];
      layer.weight = ReorderColumns(weight, input, /*to_hwc=*/true);
    } else {
      // Written out: contiguous(ChannelsLast) leaves 1x1 and depthwise filters, which count as
      // both, as they are.
      layer.weight = weight.permute({0, 2, 3, 1}).contiguous().permute({0, 3, 1, 2});
    }
    if (!source.bias.empty()) layer.bias = CopyOf(source.bias);
    if (source.batch_norm) {
      layer.gamma = CopyOf(source.batch_norm->gamma);
      layer.beta = CopyOf(source.batch_norm->beta);
      layer.epsilon = source.batch_norm->epsilon;
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

FloatWeights ToFloatWeights(const Topology& topology, const std::vector<LayerTensors>& layers,
                            const LayerStatistics& statistics) {
  const std::vector<TensorShape> shapes = TensorShapes(topology);
  const std::vector<int> operations = LayerOperations(topology);
  FloatWeights weights;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const LayerTensors& source = layers[l];
    const Operation& operation = topology.operations[static_cast<std::size_t>(operations[l])];
    FloatLayerWeights layer;
    layer.name = operation.name;
    layer.shape = source.weight.sizes().vec();
    layer.weight = ToVector(source.weight);
    if (operation.kind == OperationKind::kFullyConnected) {
      const TensorShape& input = shapes[static_cast<std::size_t>(operation.input)];
      layer.weight = ToVector(ReorderColumns(source.weight.detach(), input, /*to_hwc=*/false));
    }
    if (source.bias.defined()) layer.bias = ToVector(source.bias);
    if (source.has_batch_norm()) {
      BatchNormWeights batch_norm{
          ToVector(source.gamma), ToVector(source.beta), {}, {}, source.epsilon};
      for (const ChannelStatistics& channel : statistics[l]) {
        batch_norm.mean.push_back(channel.mean);
        batch_norm.variance.push_back(channel.variance);
      }
      layer.batch_norm = std::move(batch_norm);
    }
    weights.layers.push_back(std::move(layer));
  }
  return weights;
}

std::span<float> Values(const at::Tensor& tensor) {
  return {tensor.data_ptr<float>(), static_cast<std::size_t>(tensor.numel())};
}

at::Tensor NormalizeBatch(const LayerTensors& layer, const at::Tensor& value) {
  if (!layer.has_batch_norm()) return value;
  return at::batch_norm(value, layer.gamma, layer.beta, /*running_mean=*/{}, /*running_var=*/{},
                        /*training=*/true, /*momentum=*/0.0, layer.epsilon,
                        /*cudnn_enabled=*/false);
}

ChannelAffine FoldBatchNorm(const LayerTensors& layer,
                            std::span<const ChannelStatistics> statistics) {
  const auto channels = static_cast<std::size_t>(layer.weight.size(0));
  ChannelAffine affine{std::vector<double>(channels, 1.0), std::vector<double>(channels, 0.0)};
  for (std::size_t c = 0; c < channels; ++c) {
    if (layer.bias.defined()) affine.shift[c] = layer.bias.data_ptr<float>()[c];
    if (!layer.has_batch_norm()) continue;
    const double deviation = std::sqrt(static_cast<double>(statistics[c].variance) + layer.epsilon);
    affine.scale[c] = layer.gamma.data_ptr<float>()[c] / deviation;
    affine.shift[c] =
        (affine.shift[c] - statistics[c].mean) * affine.scale[c] + layer.beta.data_ptr<float>()[c];
  }
  return affine;
}

std::vector<ChannelAffine> FoldAll(const std::vector<LayerTensors>& layers,
                                   const LayerStatistics& statistics) {
  std::vector<ChannelAffine> affine;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    affine.push_back(FoldBatchNorm(layers[l], statistics[l]));
  }
  return affine;
}

FoldedNetwork::FoldedNetwork(const Topology& topology, const std::vector<at::Tensor>& weights,
                             const std::vector<ChannelAffine>& affine,
                             std::vector<StoredQuantizer> quantizers)
    : topology_(topology), layers_(topology.operations.size()), quantizers_(std::move(quantizers)) {
  const torch::NoGradGuard no_gradient;
  const std::vector<int> operations = LayerOperations(topology);
  for (std::size_t l = 0; l < operations.size(); ++l) {
    Layer& layer = layers_[static_cast<std::size_t>(operations[l])];
    std::vector<std::int64_t> per_channel(static_cast<std::size_t>(weights[l].dim()), 1);
    per_channel[0] = -1;
    const at::Tensor scale = torch::tensor(affine[l].scale, torch::kFloat64).to(torch::kFloat32);
    layer.weight = weights[l].detach() * scale.reshape(per_channel);
    layer.bias = torch::tensor(affine[l].shift, torch::kFloat64).to(torch::kFloat32);
  }
}

at::Tensor FoldedNetwork::RunLayer(int operation, const at::Tensor& input) {
  const Layer& layer = layers_[static_cast<std::size_t>(operation)];
  return ApplyLayer(topology_.operations[static_cast<std::size_t>(operation)], input, layer.weight,
                    layer.bias);
}

at::Tensor FoldedNetwork::Store(int tensor, at::Tensor value) {
  const auto index = static_cast<std::size_t>(tensor);
  const Activation activation = topology_.operations[index - 1].activation;
  if (quantizers_.empty()) return ApplyActivation(activation, std::move(value));
  const StoredQuantizer& quantizer = quantizers_[index];
  const LevelRange range = ActivationRange(quantizer.bits, quantizer.zero_point);
  StoreInPlace({nullptr, activation, quantizer.step, range}, Values(value));
  return value;
}

}  // namespace bitpilot
