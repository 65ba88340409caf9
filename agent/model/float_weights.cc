#include "agent/model/float_weights.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bitpilot {
namespace {

using Shape = std::vector<std::int64_t>;

// The tensor's values, all finite.
Result<std::vector<float>> ReadTensor(const SafetensorsFile& file, const std::string& name,
                                      const Shape& shape) {
  const Result<const FloatTensor*> tensor = file.Find(name, shape);
  if (!tensor.ok()) return tensor.status();
  const std::vector<float>& values = (*tensor)->values;
  const auto bad =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (bad != values.end()) {
    return DataCorrupt("tensor '" + name + "': expected finite numbers, got " +
                       std::to_string(*bad) + " at index " + std::to_string(bad - values.begin()));
  }
  return values;
}

// Where the four parameters of a batch norm go, in a file and in memory.
std::vector<std::pair<std::string, std::vector<float> BatchNormWeights::*>> BatchNormTensors(
    const std::string& prefix) {
  return {{prefix + ".weight", &BatchNormWeights::gamma},
          {prefix + ".bias", &BatchNormWeights::beta},
          {prefix + ".running_mean", &BatchNormWeights::mean},
          {prefix + ".running_var", &BatchNormWeights::variance}};
}

Result<BatchNormWeights> ReadBatchNorm(const SafetensorsFile& file,
                                       const LayerParameters& parameters, std::int64_t channels) {
  BatchNormWeights batch_norm;
  batch_norm.epsilon = parameters.batch_norm_epsilon;
  for (const auto& [name, member] : BatchNormTensors(parameters.batch_norm)) {
    Result<std::vector<float>> values = ReadTensor(file, name, {channels});
    if (!values.ok()) return values.status();
    batch_norm.*member = std::move(values).value();
  }
  for (const float variance : batch_norm.variance) {
    if (variance < 0.0F) {
      return DataCorrupt("tensor '" + parameters.batch_norm +
                         ".running_var': expected variances of at least 0, got " +
                         std::to_string(variance));
    }
  }
  return batch_norm;
}

Result<FloatLayerWeights> ReadLayer(const SafetensorsFile& file, const ModelDefinition& definition,
                                    std::size_t index) {
  const LayerParameters& parameters = definition.layers[index];
  FloatLayerWeights layer;
  const int operation = LayerOperations(definition.topology)[index];
  layer.name = definition.topology.operations[static_cast<std::size_t>(operation)].name;
  layer.shape = WeightShape(definition, index);
  Result<std::vector<float>> weight = ReadTensor(file, parameters.weight, layer.shape);
  if (!weight.ok()) return weight.status();
  layer.weight = std::move(weight).value();
  const std::int64_t channels = layer.shape[0];
  if (!parameters.bias.empty()) {
    Result<std::vector<float>> bias = ReadTensor(file, parameters.bias, {channels});
    if (!bias.ok()) return bias.status();
    layer.bias = std::move(bias).value();
  }
  if (!parameters.batch_norm.empty()) {
    Result<BatchNormWeights> batch_norm = ReadBatchNorm(file, parameters, channels);
    if (!batch_norm.ok()) return batch_norm.status();
    layer.batch_norm = std::move(batch_norm).value();
  }
  return layer;
}

}  // namespace

std::vector<std::int64_t> WeightShape(const ModelDefinition& definition, std::size_t layer) {
  const int index = LayerOperations(definition.topology)[layer];
  const Operation& operation = definition.topology.operations[static_cast<std::size_t>(index)];
  const std::int64_t depth = WeightDepth(definition.topology, index);
  if (operation.kind == OperationKind::kFullyConnected) return {operation.out_channels, depth};
  const std::int64_t window = std::int64_t{operation.kernel_h} * operation.kernel_w;
  return {operation.out_channels, depth / window, operation.kernel_h, operation.kernel_w};
}

Result<FloatWeights> LoadFloatWeights(const ModelDefinition& definition, const std::string& path) {
  const Result<SafetensorsFile> file = ReadSafetensors(path);
  if (!file.ok()) return file.status();
  FloatWeights weights;
  for (std::size_t index = 0; index < definition.layers.size(); ++index) {
    Result<FloatLayerWeights> layer = ReadLayer(*file, definition, index);
    if (!layer.ok()) return layer.status().WithContext(path + " (" + definition.name + ")");
    weights.layers.push_back(std::move(layer).value());
  }
  return weights;
}

Status SaveFloatWeights(const ModelDefinition& definition, const FloatWeights& weights,
                        SafetensorsFile beside, const std::string& path) {
  BITPILOT_CHECK(weights.layers.size() == definition.layers.size());
  SafetensorsFile file = std::move(beside);
  for (std::size_t index = 0; index < weights.layers.size(); ++index) {
    const LayerParameters& parameters = definition.layers[index];
    const FloatLayerWeights& layer = weights.layers[index];
    const Shape channels = {layer.shape[0]};
    file.tensors[parameters.weight] = {layer.shape, layer.weight};
    if (!parameters.bias.empty()) file.tensors[parameters.bias] = {channels, layer.bias};
    if (parameters.batch_norm.empty()) continue;
    for (const auto& [name, member] : BatchNormTensors(parameters.batch_norm)) {
      file.tensors[name] = {channels, (*layer.batch_norm).*member};
    }
  }
  return WriteSafetensors(path, file);
}

}  // namespace bitpilot
