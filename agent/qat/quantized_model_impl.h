// What a QuantizedModel holds. For the files of agent/qat only: it needs LibTorch.
#pragma once

#include <torch/torch.h>

#include <optional>
#include <string>
#include <vector>

#include "agent/qat/calibrator.h"
#include "agent/qat/image_batch.h"
#include "agent/qat/layer_tensors.h"
#include "agent/qat/quantized_model.h"
#include "agent/qat/trainer.h"
#include "agent/qat/training_state.h"

namespace bitpilot {

struct QuantizedModel::Impl {
  Impl(const ModelDefinition& model, const FloatWeights& weights, std::uint64_t seed);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Makes the state bank ready for state.assignment; false if some tensor was never calibrated.
  bool Prepare();

  // Batch-norm statistics and quantizers at the current assignment.
  LayerStatistics Statistics() const;
  std::vector<StoredQuantizer> Quantizers() const;

  // The float network on calibration images; measured once for each set of images.
  const FloatReference& Reference(const ImageDataset& images);

  // The calibration images that count: the first kCalibrationImages.
  at::Tensor CalibrationImages(const ImageDataset& images, const PixelTable& table) const;

  // One mini-batch: forward, backward, update. Returns its loss; without an update if that is not
  // finite.
  double TrainBatch(const ImageDataset& data, const TrainOptions& options,
                    TrainingNetwork& network);

  ModelDefinition definition;
  std::vector<LayerTensors> float_layers;  // as loaded; never trained
  LayerStatistics float_statistics;
  std::optional<FoldedNetwork> float_network;  // teacher
  InputQuantization input;
  PixelTable float_pixels;
  PixelTable quantized_pixels;
  TrainingState state;
  std::string reference_key;  // fingerprint of the images that `reference` belongs to
  FloatReference reference;
};

}  // namespace bitpilot
