#include "agent/qat/integer_evaluation.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "agent/qat/compute_threads.h"
#include "agent/qat/loss_summary.h"
#include "agent/qat/parallel_for.h"
#include "kernels/compiled_network.h"

namespace bitpilot {
namespace {

constexpr std::size_t kImagesPerCall = 256;

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
  const Result<Isa> isa = DefaultIsa();
  if (!isa.ok()) return isa.status();
  std::vector<CompiledNetwork> compiled;  // one for each thread: a run writes into its memory
  while (static_cast<int>(compiled.size()) < ComputeThreads()) {
    Result<CompiledNetwork> next = CompiledNetwork::Create(network, {.isa = *isa});
    if (!next.ok() && !compiled.empty()) break;  // memory for fewer threads: one is enough
    if (!next.ok()) return next.status();
    compiled.push_back(std::move(*next));
  }
  const auto image_bytes = static_cast<std::size_t>(network.input_bytes());
  const auto classes = static_cast<std::size_t>(network.num_classes());
  return EvaluateInteger(network, data, [&](std::span<const std::uint8_t> pixels) {
    std::vector<std::vector<float>> logits(pixels.size() / image_bytes,
                                           std::vector<float>(classes));
    ParallelFor(compiled.size(), [&](std::size_t thread) {
      for (std::size_t i = thread; i < logits.size(); i += compiled.size())
        compiled[thread].Run(pixels.subspan(i * image_bytes, image_bytes), logits[i]);
    });
    return Result<std::vector<std::vector<float>>>(std::move(logits));
  });
}

Result<Evaluation> EvaluateInteger(const Network& network, const ImageDataset& data,
                                   const InferFunction& infer) {
  if (data.shape != network.topology.input) {
    return InvalidArgument(data.name + ": " + network.topology.name + " reads images of " +
                           ShapeText(network.topology.input) + ", these are " +
                           ShapeText(data.shape));
  }
  const auto classes = static_cast<std::size_t>(network.num_classes());
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data.labels[i] < classes) continue;
    return InvalidArgument(data.name + ": image " + std::to_string(i) + " has label " +
                           std::to_string(data.labels[i]) + ", the network has " +
                           std::to_string(classes) + " classes");
  }
  const auto image_bytes = static_cast<std::size_t>(network.input_bytes());
  Evaluation evaluation;
  std::vector<double> losses;
  std::size_t correct = 0;
  for (std::size_t first = 0; first < data.size(); first += kImagesPerCall) {
    const std::size_t count = std::min(kImagesPerCall, data.size() - first);
    const Result<std::vector<std::vector<float>>> logits =
        infer(std::span(data.pixels).subspan(first * image_bytes, count * image_bytes));
    if (!logits.ok()) return logits.status();
    for (std::size_t i = 0; i < count; ++i) {
      const std::vector<float>& of_image = (*logits)[i];
      const std::uint8_t label = data.labels[first + i];
      const auto predicted = std::max_element(of_image.begin(), of_image.end()) - of_image.begin();
      evaluation.predictions.push_back(static_cast<std::uint8_t>(predicted));
      losses.push_back(CrossEntropy(of_image, label));
      correct += predicted == label ? 1U : 0U;
    }
  }
  SummarizeLosses(losses, evaluation);
  const auto count = static_cast<double>(std::max<std::size_t>(1, data.size()));
  evaluation.accuracy = static_cast<double>(correct) / count;
  return evaluation;
}

}  // namespace bitpilot
