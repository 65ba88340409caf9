#include "agent/model/float_weights.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <type_traits>
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

// Every tensor that `definition` names, with its shape.
std::map<std::string, Shape> ExpectedTensors(const ModelDefinition& definition) {
  std::map<std::string, Shape> expected;
  for (std::size_t index = 0; index < definition.layers.size(); ++index) {
    const LayerParameters& parameters = definition.layers[index];
    const Shape shape = WeightShape(definition, index);
    expected[parameters.weight] = shape;
    if (!parameters.bias.empty()) expected[parameters.bias] = {shape[0]};
    if (parameters.batch_norm.empty()) continue;
    for (const auto& [name, member] : BatchNormTensors(parameters.batch_norm)) {
      expected[name] = {shape[0]};
    }
  }
  return expected;
}

bool IsOwn(std::string_view name) { return name.starts_with("bitpilot."); }

// The network's tensors in the file, whatever their dtype, with what a message says of each.
std::map<std::string, std::string> NetworkTensors(const SafetensorsFile& file) {
  std::map<std::string, std::string> names;
  for (const auto& [name, tensor] : file.tensors) names[name] = ShapeToString(tensor.shape);
  for (const auto& [name, dtype] : file.other_dtypes) names[name] = dtype;
  std::erase_if(names, [](const auto& entry) {
    return IsOwn(entry.first) || entry.first.ends_with("num_batches_tracked");
  });
  return names;
}

// Takes the prefixes that wrappers of PyTorch (DataParallel, torch.compile, Lightning) put before
// every name out of the names. Returns what was taken out.
std::string StripWrappers(SafetensorsFile& file) {
  const auto strip = [](auto& tensors, std::size_t bytes) {
    std::remove_reference_t<decltype(tensors)> stripped;
    for (auto& [name, value] : tensors) {
      stripped[IsOwn(name) ? name : name.substr(bytes)] = std::move(value);
    }
    tensors = std::move(stripped);
  };
  std::string taken;
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view prefix : {"module.", "_orig_mod.", "model."}) {
      const auto has_it = [&](const auto& entry) {
        return IsOwn(entry.first) || entry.first.starts_with(prefix);
      };
      if (NetworkTensors(file).empty() ||
          !std::all_of(file.tensors.begin(), file.tensors.end(), has_it) ||
          !std::all_of(file.other_dtypes.begin(), file.other_dtypes.end(), has_it)) {
        continue;
      }
      strip(file.tensors, prefix.size());
      strip(file.other_dtypes, prefix.size());
      taken += prefix;
      found = true;
    }
  }
  return taken;
}

Status CheckAllUsed(const SafetensorsFile& file, const ModelDefinition& definition) {
  const std::map<std::string, Shape> expected = ExpectedTensors(definition);
  for (const auto& [name, description] : NetworkTensors(file)) {
    if (expected.contains(name)) continue;
    return InvalidArgument("tensor '" + name + "' " + description + " is none of this network's");
  }
  return Status();
}

// The model whose parameters the file has, and no others; empty if there is none.
std::string GuessModel(const SafetensorsFile& file) {
  for (const std::string& name : ModelNames()) {
    const Result<ModelDefinition> model = FindModel(name);
    if (!model.ok() || !CheckAllUsed(file, *model).ok()) continue;
    const std::map<std::string, Shape> expected = ExpectedTensors(*model);
    const auto is_there = [&](const auto& entry) {
      return file.Find(entry.first, entry.second).ok();
    };
    if (std::all_of(expected.begin(), expected.end(), is_there)) return name;
  }
  return {};
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

Result<FloatWeights> LoadFloatWeights(const ModelDefinition& definition, const std::string& path,
                                      const WeightNotice& notice) {
  Result<SafetensorsFile> file = ReadSafetensors(path);
  if (!file.ok()) return file.status();
  const std::string prefix = StripWrappers(*file);
  FloatWeights weights;
  Status status = CheckAllUsed(*file, definition);
  for (std::size_t index = 0; status.ok() && index < definition.layers.size(); ++index) {
    Result<FloatLayerWeights> layer = ReadLayer(*file, definition, index);
    status = layer.status();
    if (layer.ok()) weights.layers.push_back(std::move(layer).value());
  }
  const std::string where = path + " (" + definition.name + ")";
  if (status.code() == StatusCode::kInvalidArgument) {
    const std::string guess = GuessModel(*file);
    if (!guess.empty()) {
      status = InvalidArgument(status.message() + "; the file fits " + guess + ": give --model " +
                               guess);
    }
  }
  if (!status.ok()) return status.WithContext(where);
  if (notice && !prefix.empty()) {
    notice(where + ": every tensor's name begins with \"" + prefix + "\", which is left out");
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
