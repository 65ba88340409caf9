#include "agent/qat/quantized_model_impl.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>

#include "agent/qat/evaluation.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

// Of the crops that batch norm is estimated on: the same for every network and reading.
constexpr std::uint64_t kStatisticsSeed = 1;

std::string Text(const TensorShape& shape) {
  return std::to_string(shape.channels) + " x " + std::to_string(shape.height) + " x " +
         std::to_string(shape.width);
}

StateBank EmptyBank(const Topology& topology) {
  StateBank bank;
  for (const int operation : LayerOperations(topology)) {
    const int channels = topology.operations[static_cast<std::size_t>(operation)].out_channels;
    LayerState& layer = bank.layers.emplace_back();
    for (std::vector<LearnedStep>& steps : layer) steps.resize(static_cast<std::size_t>(channels));
  }
  bank.tensors.resize(static_cast<std::size_t>(topology.num_stored_tensors()));
  return bank;
}

}  // namespace

QuantizedModel::Impl::Impl(const ModelDefinition& model, const FloatWeights& weights,
                           std::uint64_t seed)
    : definition(model),
      float_layers(ToLayerTensors(model.topology, weights)),
      float_statistics(RunningStatistics(weights)),
      float_network(model, weights),
      input(QuantizeInput(model)),
      float_pixels(FloatPixelTable(model)),
      quantized_pixels(input.Dequantized()) {
  state.layers = ToLayerTensors(model.topology, weights);
  state.moments = ZeroMoments(state.layers);
  state.bank = EmptyBank(definition.topology);
  state.assignment = UniformAssignment(definition.topology, kMaxBits, kMaxBits);
  state.stream = TrainingStream(seed);
  estimates.statistics = float_statistics;
}

bool QuantizedModel::Impl::Prepare(const BitAssignment& assignment, StateBank& bank) const {
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    PrepareLayer(bank.layers[l], Values(state.layers[l].weight),
                 ExpandRuns(assignment.weight_bits[l]));
  }
  bool calibrated = true;
  for (std::size_t t = 1; t < bank.tensors.size(); ++t) {
    calibrated &= PrepareTensor(bank.tensors[t], assignment.activation_bits[t]);
  }
  return calibrated;
}

Estimates QuantizedModel::Impl::UsableEstimates() const {
  if (is_estimated()) return estimates;
  return {estimates.statistics, QuantizersOf(state.bank, state.assignment)};
}

at::Tensor QuantizedModel::Impl::CalibrationImages(const ImageDataset& images,
                                                   const PixelTable& table) const {
  return FirstImages(images, kCalibrationImages, table);
}

at::Tensor QuantizedModel::Impl::StatisticsImages(const ImageDataset& images,
                                                  std::size_t count) const {
  if (!definition.estimates_on_crops) return FirstImages(images, count, quantized_pixels);
  TrainingStream stream(kStatisticsSeed);
  std::vector<std::uint32_t> indices(std::min(count, images.size()));
  std::iota(indices.begin(), indices.end(), std::uint32_t{0});
  std::vector<Augmentation> augmentations;
  for (std::size_t i = 0; i < indices.size(); ++i) {
    augmentations.push_back(stream.NextAugmentation(kMaxCropShift, definition.crop_border));
  }
  return ImageTensor(images, indices, augmentations, quantized_pixels);
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

const FloatReference* QuantizedModel::Impl::UntrainedReference(const ImageDataset& images) {
  return was_loaded_trained || state.batches_trained > 0 ? nullptr : &Reference(images);
}

QuantizedModel::Impl::Calibration QuantizedModel::Impl::CalibrateFrom(
    int first_operation, const BitAssignment& assignment, const FloatReference* of_float,
    StateBank& bank, std::vector<at::Tensor>& tensors, bool keep) const {
  const torch::NoGradGuard no_gradient;
  Calibrator calibrator(definition.topology, state.layers, of_float, assignment,
                        input.zero_point == 0, bank);
  Calibration calibration;
  calibration.logits =
      RunOperations(definition.topology, calibrator, tensors, first_operation, keep);
  calibration.is_finite = calibrator.is_finite();
  calibration.estimates = {calibrator.statistics(), QuantizersOf(bank, assignment)};
  return calibration;
}

Status QuantizedModel::Impl::CheckImages(const ImageDataset& images) const {
  if (images.size() > 0 && images.shape == definition.topology.input) return Status();
  return InvalidArgument(images.name + ": expected images of " + Text(definition.topology.input) +
                         " pixels for " + definition.name + ", got " +
                         std::to_string(images.size()) + " of " + Text(images.shape));
}

Status QuantizedModel::Impl::DivergedAt(const BitAssignment& assignment) const {
  return Unsupported(definition.name + " at " + ToString(assignment) +
                     ": a layer's outputs are no finite numbers: training diverged; go on from an "
                     "earlier state, at a lower learning rate or at wider bits");
}

double QuantizedModel::Impl::TrainBatch(const ImageDataset& data, const TrainOptions& options,
                                        double learning_rate, TrainingNetwork& network) {
  const auto batch_size = std::min(static_cast<std::size_t>(options.batch_size), data.size());
  const std::vector<std::uint32_t> indices = state.stream.NextBatch(batch_size, data.size());
  std::vector<Augmentation> augmentations;
  for (std::size_t i = 0; options.augment && i < indices.size(); ++i) {
    augmentations.push_back(state.stream.NextAugmentation(kMaxCropShift, definition.crop_border));
  }
  at::Tensor taught;
  if (options.distill) {
    taught = teacher_logits.Of(teacher ? *teacher : float_network, data, indices, augmentations);
  }
  const at::Tensor logits = RunNetwork(definition.topology, network,
                                       ImageTensor(data, indices, augmentations, quantized_pixels));
  const at::Tensor loss = DistillationLoss(logits, LabelTensor(data, indices), taught);
  const auto nats = loss.item<double>();
  if (!std::isfinite(nats)) return nats;  // no gradient could help
  loss.backward();
  network.Update(learning_rate);
  ++state.batches_trained;
  return nats;
}

}  // namespace bitpilot
