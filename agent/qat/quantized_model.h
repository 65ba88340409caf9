// QuantizedModel: a float network that trains at any bit assignment and exports the integer network
// that runs. LibTorch stays behind this header.
//
// Step sizes (LSQ) and batch-norm statistics are kept per bit-width, so switching widths restores
// that width's own state; a width seen for the first time starts from its neighbour, rescaled.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/model/float_weights.h"
#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct Evaluation {
  double loss = 0.0;                      // mean cross entropy, nats
  double accuracy = 0.0;                  // top-1, in [0, 1]
  std::vector<std::uint8_t> predictions;  // [N] classes
};

struct TrainOptions {
  int batch_size = 128;
  // Adam, of weights and (relative) of step sizes. Larger ones, up to 1e-3, pay off only in long
  // runs that end with the cosine.
  double learning_rate = 2e-4;
  // 0.5 cross entropy + 0.5 KL to the float network at temperature 2 (times 4).
  bool distill = true;
  bool augment = true;  // random crop (padding 4) and horizontal flip
  bool cosine = false;  // cosine decay to 0 over `total_batches`
  std::int64_t total_batches = 0;
};

// Images that Calibrate() reads at most.
inline constexpr std::size_t kCalibrationImages = 512;

// Not thread-safe. LibTorch runs on one thread from the first Create() on, in the whole program.
class QuantizedModel {
 public:
  // Loads float weights. `seed` drives the order and augmentation of training images; `notice`
  // is LoadFloatWeights()'s.
  //
  // Errors: kNotFound / kDataCorrupt / kInvalidArgument name the file and the tensor.
  static Result<QuantizedModel> Create(const ModelDefinition& definition,
                                       const std::string& weight_file, std::uint64_t seed,
                                       const WeightNotice& notice = {});
  QuantizedModel(QuantizedModel&&) noexcept;
  QuantizedModel& operator=(QuantizedModel&&) noexcept;
  ~QuantizedModel();

  const ModelDefinition& definition() const;
  const BitAssignment& assignment() const;  // all 8 bits at first
  // Mini-batches trained so far, over all assignments; what a cosine schedule counts.
  std::int64_t batches_trained() const;

  // Float network, no quantization.
  Evaluation EvaluateFloat(const ImageDataset& data) const;

  // Switches widths. New widths start from their neighbours.
  Status SetAssignment(const BitAssignment& assignment);

  // Post-training: chooses step sizes that minimize the squared error and re-estimates batch norm,
  // for the current assignment, on the first kCalibrationImages of `images` (labels are not read).
  // Forgets what training learned about the widths of the assignment, and nothing else. Calling it
  // again with the same images costs one forward pass.
  void Calibrate(const ImageDataset& images);

  // False until the first Calibrate(), Train() or LoadCheckpoint(): the tensors have no step sizes
  // yet.
  bool is_calibrated() const;

  // Fake-quantized network at the current assignment.
  //
  // REQUIRES: is_calibrated().
  Evaluation Evaluate(const ImageDataset& data) const;

  // Trains `num_batches` mini-batches at the current assignment; returns the mean loss, nats.
  // Deterministic for a seed on one thread. Stops early, between batches, once `stop` returns true.
  // Calibrates on `data` first where that never happened.
  //
  // Returns nullopt if it diverged: a loss, a weight, a step size or a statistic is not finite. The
  // model is of no use then until LoadCheckpoint() gives it an earlier state.
  //
  // REQUIRES: `data` is not empty; with cosine, options.total_batches > 0.
  std::optional<double> Train(const ImageDataset& data, std::int64_t num_batches,
                              const TrainOptions& options, const std::function<bool()>& stop = {});

  // Folds batch norm and gives the integer network whose outputs agree with Evaluate().
  //
  // REQUIRES: is_calibrated().
  Network Export() const;

  // Everything training depends on: weights, per-width state, optimizer, random streams.
  std::string SaveCheckpoint() const;
  // Errors: kDataCorrupt (damaged, or of another model), kVersionMismatch. The model keeps its
  // state then.
  Status LoadCheckpoint(std::string_view bytes);

  // Writes the trained weights as a weight file that Create() loads: the float network's names,
  // with the batch-norm statistics of the current widths, and `bitpilot.*` tensors with the state
  // of every width, which Create() restores.
  //
  // Errors: as WriteSafetensors().
  Status SaveWeights(const std::string& path) const;

  struct Impl;  // agent/qat/quantized_model_impl.h
  Impl& impl() { return *impl_; }

 private:
  explicit QuantizedModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitpilot
