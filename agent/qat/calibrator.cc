#include "agent/qat/calibrator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "agent/qat/channel_affine.h"
#include "agent/qat/channel_statistics.h"
#include "agent/qat/fake_quant.h"
#include "agent/qat/quantized_model.h"
#include "agent/qat/step_search.h"

namespace bitpilot {
namespace {

// Values of a tensor that a step size is searched on.
constexpr std::size_t kMaxSamples = 1U << 15;
// Batch variances below this are noise of dead channels: no ratio is formed with them.
constexpr float kMinVariance = 1e-10F;

// Batch norm with given statistics, of outputs that hold the layer's bias.
FloatAffine BatchNormOf(const LayerTensors& layer,
                        const std::vector<ChannelStatistics>& statistics) {
  const ChannelAffine affine = FoldBatchNorm(layer, statistics);
  FloatAffine batch_norm;
  for (std::size_t c = 0; c < statistics.size(); ++c) {
    // FoldBatchNorm() would add the bias again.
    const float bias = layer.bias.defined() ? layer.bias.data_ptr<float>()[c] : 0.0F;
    batch_norm.scale.push_back(static_cast<float>(affine.scale[c]));
    batch_norm.shift.push_back(static_cast<float>(affine.shift[c] - bias * affine.scale[c]));
  }
  return batch_norm;
}

// Every k-th value of the first kCalibrationImages, k odd so that all channels are hit, as it is after
// `batch_norm` (nullptr: it was applied) and `activation`. More images would move the sample, and the
// step size with it, but make it no better.
std::vector<float> Sample(const at::Tensor& value, const FloatAffine* batch_norm,
                          Activation activation) {
  const auto images = std::min<std::int64_t>(value.size(0), kCalibrationImages);
  const at::Tensor first = value.narrow(0, 0, images);  // images come first in memory
  const std::span<const float> values = Values(first);
  const std::size_t stride = (values.size() / kMaxSamples) | 1U;
  std::vector<float> sample;
  sample.reserve(values.size() / stride + 1);
  for (std::size_t i = 0; i < values.size(); i += stride) {
    const std::size_t c = batch_norm != nullptr ? i % batch_norm->scale.size() : 0;
    sample.push_back(batch_norm != nullptr ? values[i] * batch_norm->scale[c] + batch_norm->shift[c]
                                           : values[i]);
  }
  ApplyInPlace(activation, sample);
  return sample;
}

ChannelStatistics TakeOverChange(const ChannelStatistics& running, const ChannelStatistics& batch,
                                 const ChannelStatistics& quantized) {
  const float mean = running.mean + (quantized.mean - batch.mean);
  if (batch.variance < kMinVariance) return {mean, quantized.variance};
  return {mean, running.variance * (quantized.variance / batch.variance)};
}

bool AreFinite(const std::vector<ChannelStatistics>& statistics) {
  return std::all_of(statistics.begin(), statistics.end(), [](const ChannelStatistics& channel) {
    return std::isfinite(channel.mean) && std::isfinite(channel.variance);
  });
}

class ReferenceHooks : public OperationHooks {
 public:
  ReferenceHooks(const Topology& topology, const std::vector<LayerTensors>& layers,
                 FloatReference& reference)
      : topology_(topology),
        layers_(layers),
        reference_(reference),
        layer_of_operation_(LayerIndices(topology)) {
    reference_.batch.resize(layers.size());
  }

  at::Tensor RunLayer(int operation, const at::Tensor& input) override {
    const auto index = static_cast<std::size_t>(operation);
    const auto l = static_cast<std::size_t>(layer_of_operation_[index]);
    const LayerTensors& layer = layers_[l];
    const at::Tensor value =
        ApplyLayer(topology_.operations[index], input, layer.weight, layer.bias);
    if (!layer.has_batch_norm()) return value;
    reference_.batch[l] = MeasureChannels(Values(value), static_cast<std::size_t>(value.size(1)));
    ApplyInPlace(BatchNormOf(layer, reference_.running[l]), Values(value));
    return value;
  }

  at::Tensor Store(int tensor, at::Tensor value) override {
    const auto index = static_cast<std::size_t>(tensor);
    return ApplyActivation(topology_.operations[index - 1].activation, std::move(value));
  }

 private:
  const Topology& topology_;
  const std::vector<LayerTensors>& layers_;
  FloatReference& reference_;
  std::vector<int> layer_of_operation_;
};

}  // namespace

std::vector<int> LayerIndices(const Topology& topology) {
  std::vector<int> indices(topology.operations.size(), -1);
  int next = 0;
  for (const int operation : LayerOperations(topology)) {
    indices[static_cast<std::size_t>(operation)] = next++;
  }
  return indices;
}

FloatReference MeasureFloatReference(const Topology& topology,
                                     const std::vector<LayerTensors>& float_layers,
                                     const LayerStatistics& running, const at::Tensor& images) {
  const torch::NoGradGuard no_gradient;
  FloatReference reference;
  reference.running = running;
  ReferenceHooks hooks(topology, float_layers, reference);
  reference.logits = RunNetwork(topology, hooks, images);
  return reference;
}

at::Tensor QuantizedWeights(const LayerTensors& layer, const LayerState& state,
                            const std::vector<int>& bits) {
  const torch::NoGradGuard no_gradient;
  at::Tensor steps = at::empty({static_cast<std::int64_t>(bits.size())});
  for (std::size_t c = 0; c < bits.size(); ++c) {
    steps.data_ptr<float>()[c] = state[static_cast<std::size_t>(bits[c] - 1)][c].step;
  }
  return FakeQuantizeWeights(layer.weight.detach(), steps, bits);
}

Calibrator::Calibrator(const Topology& topology, const std::vector<LayerTensors>& layers,
                       const FloatReference* reference, const BitAssignment& assignment,
                       bool input_non_negative, StateBank& bank)
    : topology_(topology),
      layers_(layers),
      reference_(reference),
      assignment_(assignment),
      input_non_negative_(input_non_negative),
      bank_(bank),
      layer_of_operation_(LayerIndices(topology)),
      statistics_(layers.size()) {}

at::Tensor Calibrator::RunLayer(int operation, const at::Tensor& input) {
  const auto index = static_cast<std::size_t>(operation);
  const auto l = static_cast<std::size_t>(layer_of_operation_[index]);
  const LayerTensors& layer = layers_[l];
  const std::vector<int> bits = ExpandRuns(assignment_.weight_bits[l]);
  const at::Tensor weight = QuantizedWeights(layer, bank_.layers[l], bits);
  const at::Tensor value = ApplyLayer(topology_.operations[index], input, weight, layer.bias);
  std::vector<ChannelStatistics> statistics =
      MeasureChannels(Values(value), static_cast<std::size_t>(value.size(1)));
  is_finite_ = is_finite_ && AreFinite(statistics);
  for (std::size_t c = 0; layer.has_batch_norm() && reference_ && c < bits.size(); ++c) {
    statistics[c] =
        TakeOverChange(reference_->running[l][c], reference_->batch[l][c], statistics[c]);
  }
  if (layer.has_batch_norm()) statistics_[l] = std::move(statistics);
  // Of zeros, too, a step size can be chosen.
  if (!is_finite_) return value.zero_();
  if (!layer.has_batch_norm()) return value;
  const Operation& current = topology_.operations[index];
  FloatAffine batch_norm = BatchNormOf(layer, statistics_[l]);
  if (current.residual < 0 && index + 1 < topology_.operations.size()) {
    pending_batch_norm_ = std::move(batch_norm);
  } else {
    ApplyInPlace(batch_norm, Values(value));
  }
  return value;
}

at::Tensor Calibrator::Store(int tensor, at::Tensor value) {
  const auto index = static_cast<std::size_t>(tensor);
  const bool non_negative = IsNonNegative(topology_, tensor, input_non_negative_);
  const Activation activation = topology_.operations[index - 1].activation;
  const std::optional<FloatAffine> batch_norm = std::exchange(pending_batch_norm_, std::nullopt);
  const FloatAffine* affine = batch_norm ? &*batch_norm : nullptr;
  std::vector<float> sample;  // taken once a step size is to be chosen
  const int bits = assignment_.activation_bits[index];
  for (int width = 1; width <= kMaxBits; ++width) {
    TensorWidthState& state = bank_.tensors[index][static_cast<std::size_t>(width - 1)];
    const bool is_learned = state.learned.updates > 0;
    if (state.calibrated_step > 0.0F && (is_learned || width != bits)) continue;
    if (sample.empty()) sample = Sample(value, affine, activation);
    const ActivationStep choice = SearchActivationStep(sample, width, non_negative);
    state.calibrated_step = choice.step;
    if (is_learned) continue;
    state.zero_point = choice.zero_point;
    state.learned = LearnedStep{choice.step};
  }
  const TensorWidthState& state = bank_.tensors[index][static_cast<std::size_t>(bits - 1)];
  const LevelRange range = ActivationRange(bits, state.zero_point);
  StoreInPlace({affine, activation, state.learned.step, range}, Values(value));
  return value;
}

}  // namespace bitpilot
