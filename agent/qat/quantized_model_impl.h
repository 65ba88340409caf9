// What a QuantizedModel holds. For the files of agent/qat only: it needs LibTorch.
#pragma once

#include <torch/torch.h>

#include <memory>
#include <string>
#include <vector>

#include "agent/qat/calibrator.h"
#include "agent/qat/float_network.h"
#include "agent/qat/image_batch.h"
#include "agent/qat/layer_tensors.h"
#include "agent/qat/quantized_model.h"
#include "agent/qat/teacher_logits.h"
#include "agent/qat/trainer.h"
#include "agent/qat/training_state.h"

namespace bitpilot {

struct QuantizedModel::Impl {
  Impl(const ModelDefinition& model, const FloatWeights& weights, std::uint64_t seed);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Makes `bank` ready for `assignment` with the current weights; false if some tensor was never
  // calibrated.
  bool Prepare(const BitAssignment& assignment, StateBank& bank) const;

  // To be called when weights or widths change: estimates are of others from now on.
  void DropEstimates() { estimates.quantizers.clear(); }
  bool is_estimated() const { return !estimates.quantizers.empty(); }

  // What Export() uses: as estimated, or, where that is of other weights or widths, its batch norm
  // and the bank's step sizes.
  Estimates UsableEstimates() const;

  // The float network on calibration images; measured once for each set of images.
  const FloatReference& Reference(const ImageDataset& images);

  // The same while the weights are still the float network's; nullptr once they were trained on.
  const FloatReference* UntrainedReference(const ImageDataset& images);

  // The calibration images that count: the first kCalibrationImages.
  at::Tensor CalibrationImages(const ImageDataset& images, const PixelTable& table) const;
  // The first `count` as the quantized network reads them, cropped and mirrored where it was trained so.
  at::Tensor StatisticsImages(const ImageDataset& images, std::size_t count) const;

  // Runs and calibrates operations [first_operation, end) of the current weights at `assignment`.
  // `of_float`: UntrainedReference(), or nullptr. `tensors`, `keep`: as in RunOperations(). `bank`
  // must be ready and gets step sizes.
  struct Calibration {
    Estimates estimates;  // of the operations that ran
    at::Tensor logits;
    bool is_finite = true;
  };
  Calibration CalibrateFrom(int first_operation, const BitAssignment& assignment,
                            const FloatReference* of_float, StateBank& bank,
                            std::vector<at::Tensor>& tensors, bool keep) const;

  // kInvalidArgument unless there are images, of the input's shape.
  Status CheckImages(const ImageDataset& images) const;
  // kUnsupported: what Calibration::is_finite says.
  Status DivergedAt(const BitAssignment& assignment) const;

  // One mini-batch: forward, backward, update. Returns its loss; without an update if that is not
  // finite.
  double TrainBatch(const ImageDataset& data, const TrainOptions& options, double learning_rate,
                    TrainingNetwork& network);

  ModelDefinition definition;
  std::vector<LayerTensors> float_layers;  // as loaded; never trained
  LayerStatistics float_statistics;
  FloatNetwork float_network;
  std::unique_ptr<FloatNetwork> teacher;  // nullptr: float_network
  TeacherLogits teacher_logits;           // of whichever of them teaches
  InputQuantization input;
  PixelTable float_pixels;
  PixelTable quantized_pixels;
  TrainingState state;
  bool was_loaded_trained = false;  // the weight file came from SaveWeights()
  Estimates estimates;              // no part of `state`: readings do not change training
  std::string reference_key;        // fingerprint of the images that `reference` belongs to
  FloatReference reference;
};

}  // namespace bitpilot
