#include "agent/qat/scored_network.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "agent/qat/integer_evaluation.h"

namespace bitpilot {
namespace {

// What training can spoil in an exported network: numbers that are none, or larger than any network has.
bool IsFinite(const Network& network) {
  return std::all_of(network.tensors.begin(), network.tensors.end(),
                     [](const TensorQuantization& tensor) {
                       return tensor.scale > 0.0F && std::isfinite(tensor.scale);
                     }) &&
         std::all_of(network.operations.begin(), network.operations.end(),
                     [](const QuantizedOperation& operation) {
                       const auto finite = [](float value) {
                         return std::abs(value) <= kMaxStageMagnitude;  // false for NaN
                       };
                       const OutputStage& output = operation.output;
                       return std::all_of(output.scale.begin(), output.scale.end(), finite) &&
                              std::all_of(output.bias.begin(), output.bias.end(), finite) &&
                              finite(output.residual_scale);
                     });
}

}  // namespace

Result<std::optional<ScoredNetwork>> ScoreNetwork(Network network, const ImageDataset& images) {
  if (!IsFinite(network)) return std::optional<ScoredNetwork>();
  Result<Evaluation> evaluation = EvaluateInteger(network, images);
  if (!evaluation.ok()) return evaluation.status();
  if (!std::isfinite(evaluation->loss) || !std::isfinite(evaluation->loss_error)) {
    return std::optional<ScoredNetwork>();
  }
  ScoredNetwork read;
  read.network = std::move(network);
  read.losses = std::move(evaluation->losses);
  read.score.loss = evaluation->loss;
  read.score.loss_error = evaluation->loss_error;
  read.score.total = static_cast<int>(evaluation->predictions.size());
  for (std::size_t i = 0; i < evaluation->predictions.size(); ++i) {
    if (evaluation->predictions[i] == images.labels[i]) ++read.score.correct;
  }
  return std::optional(std::move(read));
}

}  // namespace bitpilot
