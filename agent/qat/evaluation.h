// Batches of images as tensors, and what a network predicts for a whole data set.
#pragma once

#include <torch/torch.h>

#include <cstdint>
#include <span>
#include <vector>

#include "agent/model/image_dataset.h"
#include "agent/qat/image_batch.h"
#include "agent/qat/operation_runner.h"
#include "agent/qat/quantized_model.h"

namespace bitpilot {

// Images indices[i], cut out as augmentations[i] says ([] for none): [N, C, H, W], channels-last.
at::Tensor ImageTensor(const ImageDataset& data, std::span<const std::uint32_t> indices,
                       std::span<const Augmentation> augmentations, const PixelTable& table);

// The first `count` images (all, if there are fewer).
at::Tensor FirstImages(const ImageDataset& data, std::size_t count, const PixelTable& table);

// Labels of images indices[i], [N] int64.
at::Tensor LabelTensor(const ImageDataset& data, std::span<const std::uint32_t> indices);

// Loss, accuracy and predictions of the network that `hooks` makes of `topology`.
Evaluation EvaluateNetwork(const Topology& topology, OperationHooks& hooks,
                           const ImageDataset& data, const PixelTable& table);

}  // namespace bitpilot
