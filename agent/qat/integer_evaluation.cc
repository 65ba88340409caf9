#include "agent/qat/integer_evaluation.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/compiled_network.h"

namespace bitpilot {
namespace {

std::string ShapeText(const TensorShape& shape) {
  return std::to_string(shape.height) + " x " + std::to_string(shape.width) + " x " +
         std::to_string(shape.channels);
}

// Cross entropy of one image, nats.
double CrossEntropy(std::span<const float> logits, std::uint8_t label) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum) - logits[label];
}

}  // namespace

Result<Evaluation> EvaluateInteger(const Network& network, const ImageDataset& data) {
  if (data.shape != network.topology.input) {
    return InvalidArgument(data.name + ": " + network.topology.name + " reads images of " +
                           ShapeText(network.topology.input) + ", these are " +
                           ShapeText(data.shape));
  }
  const Result<Isa> isa = DefaultIsa();
  if (!isa.ok()) return isa.status();
  Result<CompiledNetwork> compiled = CompiledNetwork::Create(network, {.isa = *isa});
  if (!compiled.ok()) return compiled.status();
  Evaluation evaluation;
  std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
  std::size_t correct = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    const std::uint8_t label = data.labels[i];
    if (label >= logits.size()) {
      return InvalidArgument(data.name + ": image " + std::to_string(i) + " has label " +
                             std::to_string(label) + ", the network has " +
                             std::to_string(logits.size()) + " classes");
    }
    compiled->Run(data.image(i), logits);
    const auto predicted = std::max_element(logits.begin(), logits.end()) - logits.begin();
    evaluation.predictions.push_back(static_cast<std::uint8_t>(predicted));
    evaluation.loss += CrossEntropy(logits, label);
    correct += predicted == label ? 1U : 0U;
  }
  const auto count = static_cast<double>(std::max<std::size_t>(1, data.size()));
  evaluation.loss /= count;
  evaluation.accuracy = static_cast<double>(correct) / count;
  return evaluation;
}

}  // namespace bitpilot
