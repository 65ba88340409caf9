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

std::string LayerBitsName(std::size_t layer) {
  return "bitpilot.layer." + std::to_string(layer) + ".bits";
}

constexpr const char* kActivationBitsName = "bitpilot.activation_bits";

FloatTensor ToTensor(const std::vector<int>& bits) {
  return {{static_cast<std::int64_t>(bits.size())}, {bits.begin(), bits.end()}};
}

// Only what training learned: the rest is chosen anew for the weights that go with it.
float LearnedOrZero(const LearnedStep& learned) { return learned.updates > 0 ? learned.step : 0; }

void AddLayer(std::size_t index, const LayerState& layer, SafetensorsFile* file) {
  for (int bits = 1; bits <= kMaxBits; ++bits) {
    const std::vector<LearnedStep>& learned = layer[static_cast<std::size_t>(bits - 1)];
    FloatTensor steps{{static_cast<std::int64_t>(learned.size())}, {}};
    for (const LearnedStep& step : learned) steps.values.push_back(LearnedOrZero(step));
    file->tensors[LayerPrefix(index, bits) + ".step"] = std::move(steps);
  }
}

void AddTensor(std::size_t index, const TensorState& tensor, const StoredQuantizer& in_use,
               SafetensorsFile* file) {
  FloatTensor state{{kMaxBits, 3}, {}};
  for (int bits = 1; bits <= kMaxBits; ++bits) {
    const TensorWidthState& width = tensor[static_cast<std::size_t>(bits - 1)];
    const bool is_in_use = bits == in_use.bits;
    state.values.push_back(is_in_use ? in_use.step : LearnedOrZero(width.learned));
    state.values.push_back(static_cast<float>(is_in_use ? in_use.zero_point : width.zero_point));
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
                     "': expected finite step sizes of at least 0, and zero points inside their "
                     "width");
}

Status LoadLayer(const SafetensorsFile& file, std::size_t index, LayerState* layer) {
  for (int bits = 1; bits <= kMaxBits; ++bits) {
    std::vector<LearnedStep>& learned = (*layer)[static_cast<std::size_t>(bits - 1)];
    const std::string name = LayerPrefix(index, bits) + ".step";
    const auto channels = static_cast<std::int64_t>(learned.size());
    const Result<const FloatTensor*> steps = file.Find(name, {channels});
    if (!steps.ok()) return steps.status();
    for (std::size_t c = 0; c < learned.size(); ++c) {
      const float step = (*steps)->values[c];
      if (!IsStep(step)) return NoState(name);
      learned[c] = Restored(step);
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

std::vector<ChannelRun> ToRuns(const std::vector<int>& bits) {
  std::vector<ChannelRun> runs;
  for (const int width : bits) {
    if (runs.empty() || runs.back().bits != width) runs.push_back({0, width});
    ++runs.back().channels;
  }
  return runs;
}

// Widths in tensor `name` of `size` numbers.
Result<std::vector<int>> LoadBits(const SafetensorsFile& file, const std::string& name,
                                  std::size_t size) {
  const Result<const FloatTensor*> tensor = file.Find(name, {static_cast<std::int64_t>(size)});
  if (!tensor.ok()) return tensor.status();
  std::vector<int> bits;
  for (const float value : (*tensor)->values) {
    if (!(value >= 1.0F && value <= static_cast<float>(kMaxBits))) {
      return DataCorrupt("tensor '" + name + "': expected widths of 1 to 8 bits, got " +
                         std::to_string(value));
    }
    bits.push_back(static_cast<int>(value));
  }
  return bits;
}

Result<BitAssignment> LoadAssignment(const SafetensorsFile& file, const Topology& topology,
                                     const StateBank& bank) {
  BitAssignment assignment;
  for (std::size_t l = 0; l < bank.layers.size(); ++l) {
    const Result<std::vector<int>> bits =
        LoadBits(file, LayerBitsName(l), bank.layers[l][0].size());
    if (!bits.ok()) return bits.status();
    assignment.weight_bits.push_back(ToRuns(*bits));
  }
  Result<std::vector<int>> bits = LoadBits(file, kActivationBitsName, bank.tensors.size());
  if (!bits.ok()) return bits.status();
  assignment.activation_bits = std::move(*bits);
  BITPILOT_RETURN_IF_ERROR(ValidateAssignment(topology, assignment));
  return assignment;
}

}  // namespace

Status WriteTrainedWeights(const ModelDefinition& definition, const FloatWeights& weights,
                           const StateBank& bank, const BitAssignment& assignment,
                           const std::vector<StoredQuantizer>& quantizers,
                           const std::string& path) {
  SafetensorsFile beside;
  for (std::size_t l = 0; l < bank.layers.size(); ++l) {
    AddLayer(l, bank.layers[l], &beside);
    beside.tensors[LayerBitsName(l)] = ToTensor(ExpandRuns(assignment.weight_bits[l]));
  }
  for (std::size_t t = 1; t < bank.tensors.size(); ++t) {
    AddTensor(t, bank.tensors[t], quantizers[t], &beside);
  }
  beside.tensors[kActivationBitsName] = ToTensor(assignment.activation_bits);
  return SaveFloatWeights(definition, weights, std::move(beside), path);
}

Result<SavedWidths> LoadWidthState(const std::string& path, const Topology& topology,
                                   StateBank* bank) {
  const Result<SafetensorsFile> file = ReadSafetensors(path);
  if (!file.ok()) return file.status();
  SavedWidths saved;
  saved.is_trained = file->tensors.contains(TensorStateName(1));
  if (!saved.is_trained) return saved;
  for (std::size_t l = 0; l < bank->layers.size(); ++l) {
    BITPILOT_RETURN_IF_ERROR(LoadLayer(*file, l, &bank->layers[l]).WithContext(path));
  }
  for (std::size_t t = 1; t < bank->tensors.size(); ++t) {
    BITPILOT_RETURN_IF_ERROR(LoadTensor(*file, t, &bank->tensors[t]).WithContext(path));
  }
  if (!file->tensors.contains(kActivationBitsName)) return saved;
  Result<BitAssignment> assignment = LoadAssignment(*file, topology, *bank);
  if (!assignment.ok()) return assignment.status().WithContext(path);
  saved.assignment = std::move(*assignment);
  return saved;
}

}  // namespace bitpilot
