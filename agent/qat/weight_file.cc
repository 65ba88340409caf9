#include "agent/qat/weight_file.h"

#include <cmath>
#include <utility>

#include "agent/model/safetensors.h"

namespace bitpilot {
namespace {

std::string LayerPrefix(std::size_t layer, int bits) {
  return "bitpilot.layer." + std::to_string(layer) + ".w" + std::to_string(bits);
}

std::string TensorStateName(std::size_t tensor) {
  return "bitpilot.tensor." + std::to_string(tensor) + ".state";
}

void AddLayer(std::size_t index, const LayerState& layer, SafetensorsFile* file) {
  for (int bits = 1; bits <= kMaxBits; ++bits) {
    const LayerWidthState& width = layer[static_cast<std::size_t>(bits - 1)];
    const auto channels = static_cast<std::int64_t>(width.steps.size());
    FloatTensor steps{{channels}, {}};
    for (const LearnedStep& learned : width.steps) steps.values.push_back(learned.step);
    file->tensors[LayerPrefix(index, bits) + ".step"] = std::move(steps);
    if (width.statistics.empty()) continue;
    FloatTensor statistics{{channels, 2}, {}};
    for (const ChannelStatistics& channel : width.statistics) {
      statistics.values.push_back(channel.mean);
      statistics.values.push_back(channel.variance);
    }
    file->tensors[LayerPrefix(index, bits) + ".statistics"] = std::move(statistics);
  }
}

void AddTensor(std::size_t index, const TensorState& tensor, SafetensorsFile* file) {
  FloatTensor state{{kMaxBits, 3}, {}};
  for (const TensorWidthState& width : tensor) {
    state.values.push_back(width.learned.step);
    state.values.push_back(static_cast<float>(width.zero_point));
    state.values.push_back(width.calibrated_step);
  }
  file->tensors[TensorStateName(index)] = std::move(state);
}

// A step size of a file, as one that training must not search anew; 0 stays "never set".
LearnedStep Restored(float step) { return {step, 0.0F, 0.0F, step > 0.0F ? 1 : 0}; }

// Finite and at least 0.
bool IsStep(float value) { return value >= 0.0F && std::isfinite(value); }

Status NoState(const std::string& name) {
  return DataCorrupt("tensor '" + name +
                     "': expected finite step sizes and variances of at least 0, and zero points "
                     "inside their width");
}

Status LoadLayer(const SafetensorsFile& file, std::size_t index, LayerState* layer) {
  for (int bits = 1; bits <= kMaxBits; ++bits) {
    LayerWidthState& width = (*layer)[static_cast<std::size_t>(bits - 1)];
    const auto channels = static_cast<std::int64_t>(width.steps.size());
    const std::string prefix = LayerPrefix(index, bits);
    const Result<const FloatTensor*> steps = file.Find(prefix + ".step", {channels});
    if (!steps.ok()) return steps.status();
    for (std::size_t c = 0; c < width.steps.size(); ++c) {
      const float step = (*steps)->values[c];
      if (!IsStep(step)) return NoState(prefix + ".step");
      width.steps[c] = Restored(step);
    }
    if (width.statistics.empty()) continue;
    const Result<const FloatTensor*> statistics = file.Find(prefix + ".statistics", {channels, 2});
    if (!statistics.ok()) return statistics.status();
    for (std::size_t c = 0; c < width.statistics.size(); ++c) {
      const float mean = (*statistics)->values[2 * c];
      const float variance = (*statistics)->values[2 * c + 1];
      if (!std::isfinite(mean) || !std::isfinite(variance)) {
        return NoState(prefix + ".statistics");
      }
      width.statistics[c] = {mean, variance};
    }
  }
  return Status();
}

Status LoadTensor(const SafetensorsFile& file, std::size_t index, TensorState* tensor) {
  const Result<const FloatTensor*> state = file.Find(TensorStateName(index), {kMaxBits, 3});
  if (!state.ok()) return state.status();
  const float* value = (*state)->values.data();
  for (std::size_t i = 0; i < tensor->size(); ++i, value += 3) {
    const float max_code = static_cast<float>((2 << i) - 1);
    if (!IsStep(value[0]) || !IsStep(value[1]) || value[1] > max_code || !IsStep(value[2])) {
      return NoState(TensorStateName(index));
    }
    (*tensor)[i] = {Restored(value[0]), static_cast<int>(value[1]), value[2]};
  }
  return Status();
}

}  // namespace

Status WriteTrainedWeights(const ModelDefinition& definition, const FloatWeights& weights,
                           const StateBank& bank, const std::string& path) {
  SafetensorsFile beside;
  for (std::size_t l = 0; l < bank.layers.size(); ++l) AddLayer(l, bank.layers[l], &beside);
  for (std::size_t t = 1; t < bank.tensors.size(); ++t) AddTensor(t, bank.tensors[t], &beside);
  return SaveFloatWeights(definition, weights, std::move(beside), path);
}

Status LoadWidthState(const std::string& path, StateBank* bank) {
  const Result<SafetensorsFile> file = ReadSafetensors(path);
  if (!file.ok()) return file.status();
  if (!file->tensors.contains(TensorStateName(1))) return Status();
  for (std::size_t l = 0; l < bank->layers.size(); ++l) {
    BITPILOT_RETURN_IF_ERROR(LoadLayer(*file, l, &bank->layers[l]).WithContext(path));
  }
  for (std::size_t t = 1; t < bank->tensors.size(); ++t) {
    BITPILOT_RETURN_IF_ERROR(LoadTensor(*file, t, &bank->tensors[t]).WithContext(path));
  }
  return Status();
}

}  // namespace bitpilot
