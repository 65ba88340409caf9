#include "agent/qat/quantized_model.h"

#include <malloc.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "agent/qat/compute_threads.h"
#include "agent/qat/evaluation.h"
#include "agent/qat/export_network.h"
#include "agent/qat/quantized_model_impl.h"
#include "agent/qat/trainer.h"
#include "agent/qat/weight_file.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

// As many threads as asked for, one by default, and an allocator that keeps large blocks: glibc
// otherwise gives every big tensor back to the system and pays for its pages again in each mini-batch.
void ConfigureLibTorch() {
  static const bool configured = [] {
    SetComputeThreads(ComputeThreads());
    mallopt(M_MMAP_THRESHOLD, std::numeric_limits<int>::max());
    mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    mallopt(M_TOP_PAD, 1 << 26);
    return true;
  }();
  static_cast<void>(configured);
}

// What a network reads and how many classes it tells apart.
std::string Describe(const ModelDefinition& model) {
  const TensorShape& input = model.topology.input;
  return model.name + " (" + std::to_string(input.channels) + " x " + std::to_string(input.height) +
         " x " + std::to_string(input.width) + " pixels, " +
         std::to_string(model.topology.operations.back().out_channels) + " classes)";
}

}  // namespace

Result<QuantizedModel> QuantizedModel::Create(const ModelDefinition& definition,
                                              const std::string& weight_file, std::uint64_t seed,
                                              const WeightNotice& notice) {
  ConfigureLibTorch();
  const Result<FloatWeights> weights = LoadFloatWeights(definition, weight_file, notice);
  if (!weights.ok()) return weights.status().AsCorruptInput();
  auto impl = std::make_unique<Impl>(definition, *weights, seed);
  TrainingState& state = impl->state;
  const Result<SavedWidths> saved = LoadWidthState(weight_file, definition.topology, &state.bank);
  if (!saved.ok()) return saved.status().AsCorruptInput();
  impl->was_loaded_trained = saved->is_trained;
  if (saved->assignment) state.assignment = *saved->assignment;
  impl->Prepare(state.assignment, state.bank);
  if (saved->assignment) impl->estimates.quantizers = QuantizersOf(state.bank, state.assignment);
  return QuantizedModel(std::move(impl));
}

QuantizedModel::QuantizedModel(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
QuantizedModel::QuantizedModel(QuantizedModel&&) noexcept = default;
QuantizedModel& QuantizedModel::operator=(QuantizedModel&&) noexcept = default;
QuantizedModel::~QuantizedModel() = default;

const ModelDefinition& QuantizedModel::definition() const { return impl_->definition; }
const BitAssignment& QuantizedModel::assignment() const { return impl_->state.assignment; }
bool QuantizedModel::was_loaded_trained() const { return impl_->was_loaded_trained; }
std::int64_t QuantizedModel::batches_trained() const { return impl_->state.batches_trained; }

Evaluation QuantizedModel::EvaluateFloat(const ImageDataset& data) const {
  return impl_->float_network.Evaluate(data);
}

Status QuantizedModel::SetAssignment(const BitAssignment& assignment) {
  BITPILOT_RETURN_IF_ERROR(ValidateAssignment(impl_->definition.topology, assignment));
  TrainingState& state = impl_->state;
  if (assignment != state.assignment) impl_->DropEstimates();
  state.assignment = assignment;
  impl_->Prepare(state.assignment, state.bank);
  return Status();
}

void QuantizedModel::Calibrate(const ImageDataset& images) {
  TrainingState& state = impl_->state;
  ForgetWidths(state.assignment, state.bank);
  impl_->Prepare(state.assignment, state.bank);
  std::vector<at::Tensor> tensors(state.assignment.activation_bits.size() + 1);
  const FloatReference* const of_float = impl_->UntrainedReference(images);
  tensors[0] = of_float != nullptr ? impl_->CalibrationImages(images, impl_->quantized_pixels)
                                   : impl_->StatisticsImages(images, kCalibrationImages);
  impl_->estimates =
      impl_->CalibrateFrom(0, state.assignment, of_float, state.bank, tensors, /*keep=*/false)
          .estimates;
}

Status QuantizedModel::ReestimateBatchNorm(const ImageDataset& images, int batches,
                                           int batch_size) {
  BITPILOT_CHECK(batches >= 1 && batch_size >= 1);
  BITPILOT_RETURN_IF_ERROR(impl_->CheckImages(images));
  const TrainingState& state = impl_->state;
  StateBank bank = state.bank;  // Training shall not see what is chosen here.
  std::vector<at::Tensor> tensors(state.assignment.activation_bits.size() + 1);
  tensors[0] = impl_->StatisticsImages(images, static_cast<std::size_t>(batches) * batch_size);
  Impl::Calibration calibration = impl_->CalibrateFrom(0, state.assignment, /*of_float=*/nullptr,
                                                       bank, tensors, /*keep=*/false);
  if (!calibration.is_finite) return impl_->DivergedAt(state.assignment);
  impl_->estimates = std::move(calibration.estimates);
  return Status();
}

bool QuantizedModel::is_estimated() const { return impl_->is_estimated(); }

bool QuantizedModel::is_calibrated() const {
  const std::vector<StoredQuantizer> quantizers = impl_->UsableEstimates().quantizers;
  return std::all_of(quantizers.begin() + 1, quantizers.end(),
                     [](const StoredQuantizer& quantizer) { return quantizer.step != 0.0F; });
}

Evaluation QuantizedModel::Evaluate(const ImageDataset& data) const {
  BITPILOT_CHECK(is_estimated());
  const torch::NoGradGuard no_gradient;
  const TrainingState& state = impl_->state;
  std::vector<at::Tensor> weights;
  for (std::size_t l = 0; l < state.layers.size(); ++l) {
    weights.push_back(QuantizedWeights(state.layers[l], state.bank.layers[l],
                                       ExpandRuns(state.assignment.weight_bits[l])));
  }
  const Topology& topology = impl_->definition.topology;
  FoldedNetwork network(topology, weights, FoldAll(state.layers, impl_->estimates.statistics),
                        impl_->estimates.quantizers);
  return EvaluateNetwork(topology, network, data, impl_->quantized_pixels);
}

Status QuantizedModel::SetTeacher(const ModelDefinition& definition, const std::string& weight_file,
                                  const WeightNotice& notice) {
  const Topology& student = impl_->definition.topology;
  const Topology& teacher = definition.topology;
  if (teacher.input != student.input ||
      teacher.operations.back().out_channels != student.operations.back().out_channels) {
    return InvalidArgument("a teacher must read the same images and tell the same classes apart: " +
                           Describe(definition) + " cannot teach " + Describe(impl_->definition));
  }
  const Result<FloatWeights> weights = LoadFloatWeights(definition, weight_file, notice);
  if (!weights.ok()) return weights.status().WithContext("teacher").AsCorruptInput();
  impl_->teacher = std::make_unique<FloatNetwork>(definition, *weights);
  impl_->teacher_logits.Forget();
  return Status();
}

std::optional<double> QuantizedModel::Train(const ImageDataset& data, std::int64_t num_batches,
                                            const TrainOptions& options,
                                            const std::function<bool()>& stop) {
  BITPILOT_CHECK(data.size() > 0);
  TrainingState& state = impl_->state;
  if (!impl_->Prepare(state.assignment, state.bank)) Calibrate(data);
  TrainingNetwork network(impl_->definition.topology, state.layers, state.moments, state.assignment,
                          state.bank);
  double loss_sum = 0.0;
  std::int64_t done = 0;
  for (; done < num_batches && std::isfinite(loss_sum) && !(stop && stop()); ++done) {
    loss_sum += impl_->TrainBatch(data, options, LearningRate(options, done, num_batches), network);
  }
  if (done > 0) impl_->DropEstimates();
  if (!std::isfinite(loss_sum) || !IsFinite(state)) return std::nullopt;
  return done == 0 ? 0.0 : loss_sum / static_cast<double>(done);
}

Network QuantizedModel::Export() const {
  BITPILOT_CHECK(is_calibrated());
  const TrainingState& state = impl_->state;
  return ExportNetwork(impl_->definition.topology, state.layers, state.bank, state.assignment,
                       impl_->UsableEstimates(), impl_->input);
}

std::string QuantizedModel::SaveCheckpoint() const {
  return SerializeTrainingState(impl_->definition.topology, impl_->state);
}

Status QuantizedModel::LoadCheckpoint(std::string_view bytes) {
  BITPILOT_RETURN_IF_ERROR(ParseTrainingState(impl_->definition.topology, bytes, &impl_->state));
  impl_->DropEstimates();
  return Status();
}

Status QuantizedModel::SaveWeights(const std::string& path) const {
  BITPILOT_CHECK(is_estimated());
  const TrainingState& state = impl_->state;
  const FloatWeights weights =
      ToFloatWeights(impl_->definition.topology, state.layers, impl_->estimates.statistics);
  return WriteTrainedWeights(impl_->definition, weights, state.bank, state.assignment,
                             impl_->estimates.quantizers, path);
}

}  // namespace bitpilot
