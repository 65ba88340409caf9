#include "agent/qat/evaluation.h"

#include <algorithm>
#include <numeric>

#include "agent/qat/loss_summary.h"
#include "agent/qat/parallel_for.h"

namespace bitpilot {
namespace {

// Small enough for a batch's tensors to stay in the CPU's last-level cache.
constexpr std::size_t kEvaluationBatch = 64;

std::vector<std::uint32_t> Range(std::size_t begin, std::size_t end) {
  std::vector<std::uint32_t> indices(end - begin);
  std::iota(indices.begin(), indices.end(), static_cast<std::uint32_t>(begin));
  return indices;
}

}  // namespace

at::Tensor ImageTensor(const ImageDataset& data, std::span<const std::uint32_t> indices,
                       std::span<const Augmentation> augmentations, const PixelTable& table) {
  const auto elements = static_cast<std::size_t>(data.shape.elements());
  at::Tensor images = at::empty({static_cast<std::int64_t>(indices.size()), data.shape.channels,
                                 data.shape.height, data.shape.width},
                                at::TensorOptions().memory_format(at::MemoryFormat::ChannelsLast));
  float* const pixels = images.data_ptr<float>();
  ParallelFor(indices.size(), [&](std::size_t i) {
    const Augmentation augmentation = augmentations.empty() ? Augmentation{} : augmentations[i];
    WriteImage(data.image(indices[i]), data.shape, table, augmentation,
               {pixels + i * elements, elements});
  });
  return images;
}

at::Tensor FirstImages(const ImageDataset& data, std::size_t count, const PixelTable& table) {
  return ImageTensor(data, Range(0, std::min(count, data.size())), {}, table);
}

at::Tensor LabelTensor(const ImageDataset& data, std::span<const std::uint32_t> indices) {
  at::Tensor labels = at::empty({static_cast<std::int64_t>(indices.size())}, at::kLong);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    labels.data_ptr<std::int64_t>()[i] = data.labels[indices[i]];
  }
  return labels;
}

Evaluation EvaluateNetwork(const Topology& topology, OperationHooks& hooks,
                           const ImageDataset& data, const PixelTable& table) {
  const torch::NoGradGuard no_gradient;
  Evaluation evaluation;
  std::vector<double> losses;
  std::size_t correct = 0;
  for (std::size_t begin = 0; begin < data.size(); begin += kEvaluationBatch) {
    const std::vector<std::uint32_t> indices =
        Range(begin, std::min(begin + kEvaluationBatch, data.size()));
    const at::Tensor logits = RunNetwork(topology, hooks, ImageTensor(data, indices, {}, table));
    const at::Tensor of_batch =
        at::cross_entropy_loss(logits, LabelTensor(data, indices), {}, at::Reduction::None);
    losses.insert(losses.end(), of_batch.data_ptr<float>(),
                  of_batch.data_ptr<float>() + of_batch.numel());
    const at::Tensor classes = logits.argmax(1);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      const auto predicted = static_cast<std::uint8_t>(classes.data_ptr<std::int64_t>()[i]);
      evaluation.predictions.push_back(predicted);
      correct += predicted == data.labels[indices[i]] ? 1U : 0U;
    }
  }
  SummarizeLosses(losses, evaluation);
  const auto count = static_cast<double>(std::max<std::size_t>(1, data.size()));
  evaluation.accuracy = static_cast<double>(correct) / count;
  return evaluation;
}

}  // namespace bitpilot
