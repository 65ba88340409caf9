// Time of one training step with fused LSQ quantizers against the same step in float. See README.md
// beside this file.
#include <torch/torch.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "agent/qat/calibrator.h"
#include "agent/qat/evaluation.h"
#include "agent/qat/quantized_model_impl.h"
#include "agent/qat/trainer.h"

namespace bitpilot {
namespace {

// The same network without quantizers: convolution, batch norm, ReLU.
class FloatTraining : public OperationHooks {
 public:
  FloatTraining(const Topology& topology, std::vector<LayerTensors>& layers)
      : topology_(topology),
        layers_(layers),
        moments_(ZeroMoments(layers)),
        layer_of_operation_(LayerIndices(topology)) {
    for (LayerTensors& layer : layers_) {
      for (at::Tensor& parameter : layer.Parameters()) parameter.requires_grad_(true);
      means_.push_back(at::zeros({layer.weight.size(0)}));
      variances_.push_back(at::ones({layer.weight.size(0)}));
    }
  }

  at::Tensor RunLayer(int operation, const at::Tensor& input) override {
    const auto index = static_cast<std::size_t>(operation);
    const auto l = static_cast<std::size_t>(layer_of_operation_[index]);
    const LayerTensors& layer = layers_[l];
    const at::Tensor value =
        ApplyLayer(topology_.operations[index], input, layer.weight, layer.bias);
    if (!layer.has_batch_norm()) return value;
    return at::batch_norm(value, layer.gamma, layer.beta, means_[l], variances_[l], true, 0.1,
                          layer.epsilon, false);
  }

  at::Tensor Store(int tensor, at::Tensor value) override {
    const auto index = static_cast<std::size_t>(tensor);
    return topology_.operations[index - 1].activation == Activation::kRelu ? value.relu_() : value;
  }

  void Update(double learning_rate) {
    const torch::NoGradGuard no_gradient;
    std::size_t next = 0;
    for (LayerTensors& layer : layers_) {
      for (const at::Tensor& parameter : layer.Parameters()) {
        at::Tensor gradient = parameter.grad();
        if (gradient.strides() != parameter.strides()) {
          gradient = at::empty_like(parameter).copy_(gradient);
        }
        AdamUpdate(Values(parameter), Values(gradient), learning_rate, moments_[next++]);
        parameter.mutable_grad() = at::Tensor();
      }
    }
  }

 private:
  const Topology& topology_;
  std::vector<LayerTensors>& layers_;
  std::vector<AdamMoments> moments_;
  std::vector<int> layer_of_operation_;
  std::vector<at::Tensor> means_;
  std::vector<at::Tensor> variances_;
};

template <typename Network>
double StepSeconds(const Topology& topology, Network& network, const at::Tensor& images,
                   const at::Tensor& labels) {
  const auto start = std::chrono::steady_clock::now();
  DistillationLoss(RunNetwork(topology, network, images), labels, {}).backward();
  network.Update(1e-4);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

void Compare(QuantizedModel& model, const ImageDataset& data, int batch, int rounds) {
  QuantizedModel::Impl& impl = model.impl();
  const Topology& topology = impl.definition.topology;
  const ImageDataset images_of_batch = data.Slice(0, static_cast<std::size_t>(batch));
  std::vector<std::uint32_t> indices;
  for (int i = 0; i < batch; ++i) indices.push_back(static_cast<std::uint32_t>(i));
  const at::Tensor images = ImageTensor(data, indices, {}, impl.quantized_pixels);
  const at::Tensor labels = LabelTensor(data, indices);
  std::vector<LayerTensors> float_layers = impl.float_layers;
  FloatTraining plain(topology, float_layers);
  TrainingNetwork quantized(topology, impl.state.layers, impl.state.moments, impl.state.assignment,
                            impl.state.bank);
  std::vector<double> plain_seconds;
  std::vector<double> quantized_seconds;
  std::vector<double> ratios;
  for (int round = -3; round < rounds; ++round) {
    const double a = StepSeconds(topology, plain, images, labels);
    const double b = StepSeconds(topology, quantized, images, labels);
    if (round < 0) continue;  // Warm-up.
    plain_seconds.push_back(a);
    quantized_seconds.push_back(b);
    ratios.push_back(b / a);
  }
  std::printf("%s, batch %d, %d rounds: float %.1f ms, fused LSQ %.1f ms, ratio %.3f (medians)\n",
              topology.name.c_str(), batch, rounds, 1e3 * Median(plain_seconds),
              1e3 * Median(quantized_seconds), Median(ratios));
  std::printf("fastest: float %.1f ms, fused LSQ %.1f ms\n",
              1e3 * *std::min_element(plain_seconds.begin(), plain_seconds.end()),
              1e3 * *std::min_element(quantized_seconds.begin(), quantized_seconds.end()));
}

// What a search pays: mini-batches as Train() makes them (images, augmentation and the teacher
// included), and a checkpoint after each trial.
void TimeProduct(QuantizedModel& model, const ImageDataset& data, int batch, int rounds) {
  TrainOptions options;
  options.batch_size = batch;
  std::vector<double> train_seconds;
  std::vector<double> save_seconds;
  std::vector<double> load_seconds;
  std::size_t bytes = 0;
  const auto time = [](std::vector<double>& seconds, const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  };
  for (int round = 0; round < rounds; ++round) {
    std::string checkpoint;
    time(train_seconds, [&] { model.Train(data, 1, options); });
    time(save_seconds, [&] { checkpoint = model.SaveCheckpoint(); });
    time(load_seconds, [&] { static_cast<void>(model.LoadCheckpoint(checkpoint)); });
    bytes = checkpoint.size();
  }
  std::printf(
      "Train(): %.1f ms a mini-batch; checkpoint: %zu bytes, saved in %.1f ms, loaded in "
      "%.1f ms (medians)\n",
      1e3 * Median(train_seconds), bytes, 1e3 * Median(save_seconds), 1e3 * Median(load_seconds));
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) {
  std::string model_name = "resnet20";
  std::string weights = "../shared/data/cifar10_resnet/resnet20.safetensors";
  int batch = 128;
  int rounds = 30;
  CLI::App app("Step time of quantization-aware training against float training, one thread");
  app.add_option("--model", model_name, "network");
  app.add_option("--weights", weights, "its weight file");
  app.add_option("--batch", batch, "images a step");
  app.add_option("--rounds", rounds, "interleaved pairs of steps");
  CLI11_PARSE(app, argc, argv);
  using bitpilot::QuantizedModel;
  const auto definition = bitpilot::FindModel(model_name);
  const auto data = bitpilot::LoadDataSplits("sample");
  if (!definition.ok() || !data.ok()) {
    const bitpilot::Status status = definition.ok() ? data.status() : definition.status();
    std::fprintf(stderr, "training_step: %s\n", status.message().c_str());
    return 1;
  }
  auto model = QuantizedModel::Create(*definition, weights, /*seed=*/1);
  if (!model.ok()) {
    std::fprintf(stderr, "training_step: %s\n", model.status().message().c_str());
    return 1;
  }
  const bitpilot::Status set =
      model->SetAssignment(bitpilot::UniformAssignment(definition->topology, 4, 4));
  if (!set.ok()) return 1;
  model->Calibrate(data->train);
  bitpilot::Compare(*model, data->train, batch, rounds);
  bitpilot::TimeProduct(*model, data->train, batch, rounds);
  return 0;
}
