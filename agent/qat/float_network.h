// FloatNetwork: a float network for inference, with the pixels that it reads: what evaluation
// compares with and what distillation learns from.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <span>
#include <vector>

#include "agent/model/float_weights.h"
#include "agent/model/image_dataset.h"
#include "agent/model/model_definition.h"
#include "agent/qat/evaluation.h"
#include "agent/qat/image_batch.h"
#include "agent/qat/layer_tensors.h"

namespace bitpilot {

// Batch-norm running statistics of every layer of a weight file; [] without batch norm.
LayerStatistics RunningStatistics(const FloatWeights& weights);

class FloatNetwork {
 public:
  // REQUIRES: `weights` belongs to `definition`.
  FloatNetwork(const ModelDefinition& definition, const FloatWeights& weights);
  FloatNetwork(const FloatNetwork&) = delete;  // `network_` refers to `topology_`
  FloatNetwork& operator=(const FloatNetwork&) = delete;

  // As a teacher: logits [N, classes] of images indices[i], cut out as augmentations[i] says ([] for
  // none), normalized by the statistics of this very mini-batch, as its student is. Running statistics are
  // of the images that the network once trained on; where those were augmented otherwise, as ResNet-8's
  // were, its answers are worse, and the student learns the difference, too. Without gradients.
  at::Tensor Teach(const ImageDataset& data, std::span<const std::uint32_t> indices,
                   std::span<const Augmentation> augmentations);

  Evaluation Evaluate(const ImageDataset& data);

 private:
  Topology topology_;
  PixelTable pixels_;
  std::vector<LayerTensors> layers_;
  FoldedNetwork network_;
};

}  // namespace bitpilot
