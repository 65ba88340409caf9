// ScoredNetwork: a network as a board would run it, and what held-out images say of it.
#pragma once

#include <optional>
#include <vector>

#include "agent/model/image_dataset.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"
#include "policies/environment.h"

namespace bitpilot {

struct ScoredNetwork {
  Network network;
  Scored score;
  std::vector<float> losses;  // of every image, nats: score.loss is their mean
};

// Reads the held-out images with an exported network.
//
// Returns nothing if a number that training can spoil, or the loss, is not finite, or is larger than a
// network may have (kMaxStageMagnitude): the weights diverged, as one sees at these widths.
//
// Errors: EvaluateInteger()'s (agent/qat/integer_evaluation.h).
Result<std::optional<ScoredNetwork>> ScoreNetwork(Network network, const ImageDataset& images);

}  // namespace bitpilot
