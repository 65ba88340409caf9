#include "agent/qat/quantized_model.h"

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "agent/qat/calibrator.h"
#include "agent/qat/evaluation.h"
#include "agent/qat/export_network.h"
#include "agent/qat/quantized_model_impl.h"
#include "agent/qat/trainer.h"
#include "agent/qat/weight_file.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

constexpr int kMaxShift = 4;  // pixels of padding around a training image before it is cropped

// One thread, and an allocator that keeps large blocks: glibc otherwise gives every big tensor back
// to the system and pays for its pages again in each mini-batch.
void ConfigureLibTorch() {
  static const bool configured = [] {
    torch::set_num_threads(1);
    mallopt(M_MMAP_THRESHOLD, std::numeric_limits<int>::max());
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    mallopt(M_TOP_PAD, 1 << 26);
    return true;
  }();
  static_cast<void>(configured);
}

std::vector<ChannelStatistics> RunningStatistics(const FloatLayerWeights& layer) {
  std::vector<ChannelStatistics> statistics;
  if (!layer.batch_norm) return statistics;
  for (std::size_t c = 0; c < layer.batch_norm->mean.size(); ++c) {
    statistics.push_back({layer.batch_norm->mean[c], layer.batch_norm->variance[c]});
  }
  return statistics;
}

std::vector<at::Tensor> Weights(const std::vector<LayerTensors>& layers) {
  std::vector<at::Tensor> weights;
  for (const LayerTensors& layer : layers) weights.push_back(layer.weight);
  return weights;
}

std::vector<ChannelAffine> FoldAll(const std::vector<LayerTensors>& layers,
                                   const LayerStatistics& statistics) {
  std::vector<ChannelAffine> affine;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    affine.push_back(FoldBatchNorm(layers[l], statistics[l]));
  }
  return affine;
}

// A bank in which only the float network's statistics are known, as those of 8 bits.
StateBank EmptyBank(const Topology& topology, const LayerStatistics& float_statistics) {
  StateBank bank;
  const std::vector<int> operations = LayerOperations(topology);
  for (std::size_t l = 0; l < operations.size(); ++l) {
    const auto operation = static_cast<std::size_t>(operations[l]);
    const auto channels = static_cast<std::size_t>(topology.operations[operation].out_channels);
    LayerState layer;
    for (LayerWidthState& width : layer) {
      width.steps.resize(channels);
      if (!float_statistics[l].empty()) width.statistics.resize(channels);
    }
    layer.back().statistics = float_statistics[l];
    bank.layers.push_back(std::move(layer));
  }
  bank.tensors.resize(static_cast<std::size_t>(topology.num_stored_tensors()));
  return bank;
}

double LearningRate(const TrainOptions& options, std::int64_t batches_trained) {
  if (!options.cosine) return options.learning_rate;
  const double progress = std::min(
      1.0, static_cast<double>(batches_trained) / static_cast<double>(options.total_batches));
  return options.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * progress));
}

}  // namespace

QuantizedModel::Impl::Impl(const ModelDefinition& model, const FloatWeights& weights,
                           std::uint64_t seed)
    : definition(model),
      float_layers(ToLayerTensors(model.topology, weights)),
      input(QuantizeInput(model)),
      float_pixels(FloatPixelTable(model)),
      quantized_pixels(input.Dequantized()) {
  for (const FloatLayerWeights& layer : weights.layers) {
    float_statistics.push_back(RunningStatistics(layer));
  }
  float_network.emplace(definition.topology, Weights(float_layers),
                        FoldAll(float_layers, float_statistics), std::vector<StoredQuantizer>());
  state.layers = ToLayerTensors(model.topology, weights);
  state.moments = ZeroMoments(state.layers);
  state.bank = EmptyBank(definition.topology, float_statistics);
  state.assignment = UniformAssignment(definition.topology, kMaxBits, kMaxBits);
  state.stream = TrainingStream(seed);
}

bool QuantizedModel::Impl::Prepare() {
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    PrepareLayer(state.bank.layers[l], Values(state.layers[l].weight),
                 ExpandRuns(state.assignment.weight_bits[l]));
  }
  bool calibrated = true;
  for (std::size_t t = 1; t < state.bank.tensors.size(); ++t) {
    calibrated &= PrepareTensor(state.bank.tensors[t], state.assignment.activation_bits[t]);
  }
  return calibrated;
}

LayerStatistics QuantizedModel::Impl::Statistics() const {
  LayerStatistics statistics;
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    statistics.push_back(
        ActiveStatistics(state.bank.layers[l], ExpandRuns(state.assignment.weight_bits[l])));
  }
  return statistics;
}

std::vector<StoredQuantizer> QuantizedModel::Impl::Quantizers() const {
  std::vector<StoredQuantizer> quantizers;
  for (std::size_t t = 0; t < state.bank.tensors.size(); ++t) {
    const int bits = state.assignment.activation_bits[t];
    const TensorWidthState& tensor = state.bank.tensors[t][static_cast<std::size_t>(bits - 1)];
    quantizers.push_back({tensor.learned.step, bits, tensor.zero_point});
  }
  return quantizers;
}

at::Tensor QuantizedModel::Impl::CalibrationImages(const ImageDataset& images,
                                                   const PixelTable& table) const {
  return FirstImages(images, kCalibrationImages, table);
}

const FloatReference& QuantizedModel::Impl::Reference(const ImageDataset& images) {
  const std::string key =
      images.Slice(0, std::min(kCalibrationImages, images.size())).Fingerprint();
  if (key != reference_key) {
    reference = MeasureFloatReference(definition.topology, float_layers, float_statistics,
                                      CalibrationImages(images, float_pixels));
    reference_key = key;
  }
  return reference;
}

Result<QuantizedModel> QuantizedModel::Create(const ModelDefinition& definition,
                                              const std::string& weight_file, std::uint64_t seed,
                                              const WeightNotice& notice) {
  ConfigureLibTorch();
  const Result<FloatWeights> weights = LoadFloatWeights(definition, weight_file, notice);
  if (!weights.ok()) return weights.status();
  auto impl = std::make_unique<Impl>(definition, *weights, seed);
  const Status restored = LoadWidthState(weight_file, &impl->state.bank);
  if (!restored.ok()) return restored;
  impl->Prepare();
  return QuantizedModel(std::move(impl));
}

QuantizedModel::QuantizedModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
QuantizedModel::QuantizedModel(QuantizedModel&&) noexcept = default;
QuantizedModel& QuantizedModel::operator=(QuantizedModel&&) noexcept = default;
QuantizedModel::~QuantizedModel() = default;

const ModelDefinition& QuantizedModel::definition() const { return impl_->definition; }
const BitAssignment& QuantizedModel::assignment() const { return impl_->state.assignment; }
std::int64_t QuantizedModel::batches_trained() const { return impl_->state.batches_trained; }

Evaluation QuantizedModel::EvaluateFloat(const ImageDataset& data) const {
  return EvaluateNetwork(impl_->definition.topology, *impl_->float_network, data,
                         impl_->float_pixels);
}

Status QuantizedModel::SetAssignment(const BitAssignment& assignment) {
  BITPILOT_RETURN_IF_ERROR(ValidateAssignment(impl_->definition.topology, assignment));
  impl_->state.assignment = assignment;
  impl_->Prepare();
  return Status();
}

void QuantizedModel::Calibrate(const ImageDataset& images) {
  const torch::NoGradGuard no_gradient;
  TrainingState& state = impl_->state;
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    const std::vector<int> bits = ExpandRuns(state.assignment.weight_bits[l]);
    for (std::size_t c = 0; c < bits.size(); ++c) {
      state.bank.layers[l][static_cast<std::size_t>(bits[c] - 1)].steps[c] = LearnedStep{};
    }
  }
  impl_->Prepare();
  const FloatReference& reference = impl_->Reference(images);
  Calibrator calibrator(impl_->definition.topology, state.layers, reference, state.assignment,
                        impl_->input.zero_point == 0, state.bank);
  RunNetwork(impl_->definition.topology, calibrator,
             impl_->CalibrationImages(images, impl_->quantized_pixels));
}

bool QuantizedModel::is_calibrated() const {
  for (std::size_t t = 1; t < impl_->state.bank.tensors.size(); ++t) {
    const int bits = impl_->state.assignment.activation_bits[t];
    const auto index = static_cast<std::size_t>(bits - 1);
    if (impl_->state.bank.tensors[t][index].learned.step == 0.0F) return false;
  }
  return true;
}

Evaluation QuantizedModel::Evaluate(const ImageDataset& data) const {
  BITPILOT_CHECK(is_calibrated());
  const torch::NoGradGuard no_gradient;
  const TrainingState& state = impl_->state;
  std::vector<at::Tensor> weights;
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    weights.push_back(QuantizedWeights(state.layers[l], state.bank.layers[l],
                                       ExpandRuns(state.assignment.weight_bits[l])));
  }
  const Topology& topology = impl_->definition.topology;
  FoldedNetwork network(topology, weights, FoldAll(state.layers, impl_->Statistics()),
                        impl_->Quantizers());
  return EvaluateNetwork(topology, network, data, impl_->quantized_pixels);
}

double QuantizedModel::Impl::TrainBatch(const ImageDataset& data, const TrainOptions& options,
                                        TrainingNetwork& network) {
  const auto batch_size = std::min(static_cast<std::size_t>(options.batch_size), data.size());
  const std::vector<std::uint32_t> indices = state.stream.NextBatch(batch_size, data.size());
  std::vector<Augmentation> augmentations;
  for (std::size_t i = 0; options.augment && i < indices.size(); ++i) {
    augmentations.push_back(state.stream.NextAugmentation(kMaxShift));
  }
  const auto run = [&](OperationHooks& hooks, const PixelTable& table) {
    return RunNetwork(definition.topology, hooks, ImageTensor(data, indices, augmentations, table));
  };
  at::Tensor teacher_logits;
  if (options.distill) {
    const torch::NoGradGuard no_gradient;
    teacher_logits = run(*float_network, float_pixels);
  }
  const at::Tensor logits = run(network, quantized_pixels);
  const at::Tensor loss = DistillationLoss(logits, LabelTensor(data, indices), teacher_logits);
  const auto nats = loss.item<double>();
  if (!std::isfinite(nats)) return nats;  // no gradient could help
  loss.backward();
  network.Update(LearningRate(options, state.batches_trained));
  ++state.batches_trained;
  return nats;
}

std::optional<double> QuantizedModel::Train(const ImageDataset& data, std::int64_t num_batches,
                                            const TrainOptions& options,
                                            const std::function<bool()>& stop) {
  BITPILOT_CHECK(data.size() > 0);
  BITPILOT_CHECK(!options.cosine || options.total_batches > 0);
  if (!impl_->Prepare()) Calibrate(data);
  TrainingState& state = impl_->state;
  TrainingNetwork network(impl_->definition.topology, state.layers, state.moments, state.assignment,
                          state.bank);
  double loss_sum = 0.0;
  std::int64_t done = 0;
  for (; done < num_batches && std::isfinite(loss_sum) && !(stop && stop()); ++done) {
    loss_sum += impl_->TrainBatch(data, options, network);
  }
  network.Commit();
  if (!std::isfinite(loss_sum) || !IsFinite(state)) return std::nullopt;
  return done == 0 ? 0.0 : loss_sum / static_cast<double>(done);
}

Network QuantizedModel::Export() const {
  BITPILOT_CHECK(is_calibrated());
  const TrainingState& state = impl_->state;
  return ExportNetwork(impl_->definition.topology, state.layers, state.bank, state.assignment,
                       impl_->input);
}

std::string QuantizedModel::SaveCheckpoint() const {
  return SerializeTrainingState(impl_->definition.topology, impl_->state);
}

Status QuantizedModel::LoadCheckpoint(std::string_view bytes) {
  return ParseTrainingState(impl_->definition.topology, bytes, &impl_->state);
}

Status QuantizedModel::SaveWeights(const std::string& path) const {
  const FloatWeights weights =
      ToFloatWeights(impl_->definition.topology, impl_->state.layers, impl_->Statistics());
  return WriteTrainedWeights(impl_->definition, weights, impl_->state.bank, path);
}

}  // namespace bitpilot
