// QuantizedModel: a float network that trains at any bit assignment and exports the integer network that runs.
// LibTorch stays behind this header.
//
// Step sizes (LSQ) and batch-norm statistics are kept per bit-width, so switching widths restores that width's own
// state; a width seen for the first time starts from its neighbour, rescaled.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct Evaluation {
  double loss = 0.0;      // mean cross entropy, nats
  double accuracy = 0.0;  // top-1, in [0, 1]
  std::vector<std::uint8_t> predictions;  // [N] classes
};

struct TrainOptions {
  int batch_size = 128;
  double learning_rate = 1e-3;  // Adam, weights and step sizes
  bool distill = true;          // 0.5 cross entropy + 0.5 KL to the float network at temperature 2 (times 4)
  bool augment = true;          // random crop (padding 4) and horizontal flip
  bool cosine = false;          // cosine decay to 0 over `total_batches`
  std::int64_t total_batches = 0;
};

class QuantizedModel {
 public:
  // Loads float weights.
  //
  // Errors: kNotFound / kDataCorrupt / kInvalidArgument name the file and the tensor.
  static Result<QuantizedModel> Create(const ModelDefinition& definition, const std::string& weight_file,
                                       std::uint64_t seed);
  QuantizedModel(QuantizedModel&&) noexcept;
  QuantizedModel& operator=(QuantizedModel&&) noexcept;
  ~QuantizedModel();

  const ModelDefinition& definition() const;
  const BitAssignment& assignment() const;

  // Float network, no quantization.
  Evaluation EvaluateFloat(const ImageDataset& data) const;

  // Switches widths. New widths start from their neighbours.
  Status SetAssignment(const BitAssignment& assignment);

  // Post-training: chooses step sizes that minimize the squared error on `images` and re-estimates batch norm,
  // for the current assignment.
  void Calibrate(const ImageDataset& images);

  // Fake-quantized network at the current assignment.
  Evaluation Evaluate(const ImageDataset& data) const;

  // Trains `num_batches` mini-batches at the current assignment; returns the mean loss. Deterministic for a seed on one
  // thread. Stops early, between batches, once `stop` returns true.
  double Train(const ImageDataset& data, std::int64_t num_batches, const TrainOptions& options,
               const std::function<bool()>& stop = {});

  // Folds batch norm and gives the integer network whose outputs agree with Evaluate().
  Network Export() const;

  // Everything training depends on: weights, per-width state, optimizer, random streams.
  std::string SaveCheckpoint() const;
  Status LoadCheckpoint(std::string_view bytes);

 private:
  struct Impl;
  explicit QuantizedModel(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace bitpilot
