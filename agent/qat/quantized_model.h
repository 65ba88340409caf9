// QuantizedModel: a float network that trains at any bit assignment and exports the integer network
// that runs. LibTorch stays behind this header.
//
// Step sizes (LSQ) are kept per bit-width, so switching widths restores that width's own; a width
// seen for the first time starts from its neighbour, rescaled. Batch norm needs no state to train
// (each mini-batch has its own statistics); for inference its statistics are estimated at the
// current widths, from the current weights, before every reading.
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
#include "agent/qat/train_options.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct Evaluation {
  double loss = 0.0;                      // mean cross entropy, nats
  double loss_error = 0.0;                // standard error of that mean over the images
  double accuracy = 0.0;                  // top-1, in [0, 1]
  std::vector<std::uint8_t> predictions;  // [N] classes
  std::vector<float> losses;              // [N] cross entropies, nats
};

// Images that Calibrate() reads at most.
inline constexpr std::size_t kCalibrationImages = 512;

// Mini-batches of 128 that ReestimateBatchNorm() reads by default: the loss is then within 1.4 % of
// the one that 200 give, with 8 within 1.8 % (experiments/reestimation).
inline constexpr int kReestimationBatches = 16;

// Not thread-safe. LibTorch runs on ComputeThreads() threads from the first Create() on, in the whole
// program (agent/qat/compute_threads.h).
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
  // At first the widths at which bitpilot saved the weight file, else all 8 bits.
  const BitAssignment& assignment() const;
  // The weight file was written by SaveWeights(): its step sizes were learned, and its weights are
  // no float network's any more.
  bool was_loaded_trained() const;
  // Mini-batches trained so far, over all assignments.
  std::int64_t batches_trained() const;

  // Float network, no quantization.
  Evaluation EvaluateFloat(const ImageDataset& data) const;

  // Switches widths. New widths start from their neighbours.
  Status SetAssignment(const BitAssignment& assignment);

  // Post-training: chooses step sizes that minimize the squared error and estimates batch norm, for
  // the current assignment, on the first kCalibrationImages of `images` (labels are not read).
  // Forgets what training learned about the widths of the assignment, and nothing else: training
  // goes on from the step sizes chosen here. Calling it again with the same images costs one forward
  // pass. Weights of a float network that were not trained on keep its batch-norm statistics but for
  // the change that quantization makes; others get those of the images.
  //
  // REQUIRES: `images` is not empty and has the network's input shape.
  void Calibrate(const ImageDataset& images);

  // Before a reading: estimates batch norm for the current weights and widths from the first
  // `batches` mini-batches of `images` (all, if there are fewer; cropped and mirrored where
  // ModelDefinition::estimates_on_crops, always in the same way; labels are not read), plainly, layer by layer, so that each layer sees what inference will give it. Tensors
  // whose step size training never learned at their width get one chosen on the same images. Step
  // sizes that were learned stay.
  //
  // An observation: what it estimates serves Evaluate(), Export() and SaveWeights() until weights or
  // widths change; neither training nor checkpoints know of it. Deterministic. Costs about one
  // forward pass a mini-batch, and memory for a few tensors of all images (ResNet-8: 0.2 MiB an
  // image).
  //
  // Errors:
  //   kInvalidArgument  `images` is empty or of another shape than the network's input.
  //   kUnsupported      a layer's outputs are no finite numbers: training diverged.
  //
  // REQUIRES: batches, batch_size >= 1.
  Status ReestimateBatchNorm(const ImageDataset& images, int batches = kReestimationBatches,
                             int batch_size = 128);

  // True from Calibrate() or ReestimateBatchNorm() on until weights or widths change: Evaluate() and
  // Export() say what the network is worth.
  bool is_estimated() const;

  // False until the first Calibrate(), ReestimateBatchNorm(), Train() or LoadCheckpoint(): the
  // tensors have no step sizes yet.
  bool is_calibrated() const;

  // Fake-quantized network at the current assignment.
  //
  // REQUIRES: is_estimated().
  Evaluation Evaluate(const ImageDataset& data) const;

  // Mean divergence KL(float || quantized) of the current weights at each of `assignments`, nats, on
  // the first kCalibrationImages of `images` (labels are not read). Step sizes that training learned
  // count; the others, and batch norm, are estimated on the same images. The float network is the
  // one that was loaded. The model stays as it is, its assignment included. Costs one forward pass
  // an assignment. Nothing where a layer's outputs are no finite numbers: training diverged.
  //
  // Errors:
  //   kInvalidArgument  as SetAssignment() and ReestimateBatchNorm().
  //   kAborted          `stop` returned true.
  Result<std::vector<std::optional<double>>> Divergences(const ImageDataset& images,
                                                         std::span<const BitAssignment> assignments,
                                                         const std::function<bool()>& stop = {});

  // Distils from another float network from now on (e.g. ResNet-56 for ResNet-20) rather than from
  // the one that was loaded. Each reads the same augmented pixels, normalized its own way. Not part
  // of checkpoints.
  //
  // Errors: as Create(); kInvalidArgument if the networks differ in input shape or classes: names
  // both.
  Status SetTeacher(const ModelDefinition& definition, const std::string& weight_file,
                    const WeightNotice& notice = {});

  // Trains `num_batches` mini-batches at the current assignment; returns the mean loss, nats.
  // Deterministic for a seed, a CPU class and a number of threads. Stops early, between batches,
  // once `stop` returns true. Calibrates on `data` first where that never happened. Batch norm is
  // to be estimated anew after it.
  //
  // Returns nullopt if it diverged: a loss, a weight or a step size is not finite. The model is of
  // no use then until LoadCheckpoint() gives it an earlier state.
  //
  // REQUIRES: `data` is not empty.
  std::optional<double> Train(const ImageDataset& data, std::int64_t num_batches,
                              const TrainOptions& options, const std::function<bool()>& stop = {});

  // Folds batch norm and gives the integer network whose outputs agree with Evaluate(). Where
  // is_estimated() is false, batch norm is what was last estimated, at other widths or from other
  // weights: the network takes as long on a board, but what it predicts means nothing.
  //
  // REQUIRES: is_calibrated().
  Network Export() const;

  // Everything training depends on: weights, per-width state, optimizer, random streams. A model
  // that loads it trains the same mini-batches next as the one that saved it.
  std::string SaveCheckpoint() const;
  // Errors: kDataCorrupt (damaged, or of another model), kVersionMismatch. The model keeps its
  // state then.
  Status LoadCheckpoint(std::string_view bytes);

  // Writes the trained weights as a weight file that Create() loads: the float network's names,
  // with the batch-norm statistics of the current widths, and `bitpilot.*` tensors with these widths
  // and the state of every width, which Create() restores.
  //
  // Errors: as WriteSafetensors().
  //
  // REQUIRES: is_estimated().
  Status SaveWeights(const std::string& path) const;

  struct Impl;  // agent/qat/quantized_model_impl.h
  Impl& impl() { return *impl_; }
  const Impl& impl() const { return *impl_; }

 private:
  explicit QuantizedModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitpilot
