#include "agent/qat/trainer.h"

#include <utility>

#include "agent/qat/calibrator.h"
#include "agent/qat/fake_quant.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

std::size_t Index(int bits) { return static_cast<std::size_t>(bits - 1); }

at::Tensor Leaf(std::int64_t size) { return at::empty({size}).requires_grad_(true); }

// The gradient in its parameter's memory order; clears it.
at::Tensor TakeGradient(const at::Tensor& parameter) {
  at::Tensor gradient = parameter.grad();
  BITPILOT_CHECK(gradient.defined());
  parameter.mutable_grad() = at::Tensor();
  if (gradient.strides() == parameter.strides()) return gradient;
  return at::empty_like(parameter).copy_(gradient);
}

}  // namespace

TrainingNetwork::TrainingNetwork(const Topology& topology, std::vector<LayerTensors>& layers,
                                 std::vector<AdamMoments>& moments, const BitAssignment& assignment,
                                 StateBank& bank)
    : topology_(topology),
      layers_(layers),
      moments_(moments),
      assignment_(assignment),
      bank_(bank),
      layer_of_operation_(LayerIndices(topology)) {
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    for (at::Tensor& parameter : layers_[l].Parameters()) parameter.requires_grad_(true);
    ActiveLayer active;
    active.bits = ExpandRuns(assignment_.weight_bits[l]);
    const auto channels = static_cast<std::int64_t>(active.bits.size());
    active.steps = Leaf(channels);
    for (std::size_t c = 0; c < active.bits.size(); ++c) {
      active.steps.data_ptr<float>()[c] = bank_.layers[l][Index(active.bits[c])][c].step;
    }
    active_.push_back(std::move(active));
  }
  tensor_steps_.resize(bank_.tensors.size());
  for (std::size_t t = 1; t < bank_.tensors.size(); ++t) {
    tensor_steps_[t] = Leaf(1);
    const int bits = assignment_.activation_bits[t];
    *tensor_steps_[t].data_ptr<float>() = bank_.tensors[t][Index(bits)].learned.step;
  }
}

TrainingNetwork::~TrainingNetwork() {
  for (LayerTensors& layer : layers_) {
    for (at::Tensor& parameter : layer.Parameters()) {
      parameter.mutable_grad() = at::Tensor();
      parameter.requires_grad_(false);
    }
  }
}

at::Tensor TrainingNetwork::RunLayer(int operation, const at::Tensor& input) {
  const auto index = static_cast<std::size_t>(operation);
  const auto l = static_cast<std::size_t>(layer_of_operation_[index]);
  const LayerTensors& layer = layers_[l];
  const ActiveLayer& active = active_[l];
  const at::Tensor weight = FakeQuantizeWeights(layer.weight, active.steps, active.bits);
  return NormalizeBatch(layer, ApplyLayer(topology_.operations[index], input, weight, layer.bias));
}

at::Tensor TrainingNetwork::Store(int tensor, at::Tensor value) {
  const auto index = static_cast<std::size_t>(tensor);
  const Activation activation = topology_.operations[index - 1].activation;
  const int bits = assignment_.activation_bits[index];
  const int zero_point = bank_.tensors[index][Index(bits)].zero_point;
  // ReLU is part of the quantizer: with zero point 0 nothing below 0 passes, values or gradients.
  if (activation == Activation::kRelu6) value = ApplyActivation(activation, std::move(value));
  return FakeQuantizeTensor(value, tensor_steps_[index], ActivationRange(bits, zero_point));
}

void TrainingNetwork::UpdateWeights(double learning_rate) {
  std::size_t next = 0;
  for (LayerTensors& layer : layers_) {
    for (const at::Tensor& parameter : layer.Parameters()) {
      const at::Tensor gradient = TakeGradient(parameter);
      AdamUpdate(Values(parameter), Values(gradient), learning_rate, moments_[next++]);
    }
  }
}

void TrainingNetwork::UpdateSteps(double learning_rate) {
  for (std::size_t l = 0; l < active_.size(); ++l) {
    const ActiveLayer& active = active_[l];
    const at::Tensor gradient = TakeGradient(active.steps);
    for (std::size_t c = 0; c < active.bits.size(); ++c) {
      LearnedStep& learned = bank_.layers[l][Index(active.bits[c])][c];
      AdamUpdateStep(learned, gradient.data_ptr<float>()[c], learning_rate);
      active.steps.data_ptr<float>()[c] = learned.step;
    }
  }
  for (std::size_t t = 1; t < tensor_steps_.size(); ++t) {
    LearnedStep& learned = bank_.tensors[t][Index(assignment_.activation_bits[t])].learned;
    AdamUpdateStep(learned, *TakeGradient(tensor_steps_[t]).data_ptr<float>(), learning_rate);
    *tensor_steps_[t].data_ptr<float>() = learned.step;
  }
}

void TrainingNetwork::Update(double learning_rate) {
  const torch::NoGradGuard no_gradient;
  UpdateWeights(learning_rate);
  UpdateSteps(learning_rate);
}

at::Tensor DistillationLoss(const at::Tensor& logits, const at::Tensor& labels,
                            const at::Tensor& teacher_logits) {
  constexpr double kTemperature = 2.0;
  const at::Tensor hard = at::cross_entropy_loss(logits, labels);
  if (!teacher_logits.defined()) return hard;
  const at::Tensor student = at::log_softmax(logits / kTemperature, 1);
  const at::Tensor teacher = at::log_softmax(teacher_logits / kTemperature, 1);
  const at::Tensor divergence = (teacher.exp() * (teacher - student)).sum(1).mean();
  return 0.5 * hard + 0.5 * kTemperature * kTemperature * divergence;
}

std::vector<AdamMoments> ZeroMoments(const std::vector<LayerTensors>& layers) {
  std::vector<AdamMoments> moments;
  for (const LayerTensors& layer : layers) {
    for (const at::Tensor& parameter : layer.Parameters()) {
      moments.emplace_back(static_cast<std::size_t>(parameter.numel()));
    }
  }
  return moments;
}

}  // namespace bitpilot
