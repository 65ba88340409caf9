#include "agent/qat/teacher_logits.h"

#include <utility>

#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

// Of the pixels themselves: images in memory may be others than those of the call before.
std::string KeyOf(const ImageDataset& data, std::span<const std::uint32_t> indices,
                  std::span<const Augmentation> augmentations) {
  std::string text = std::to_string(data.shape.channels) + " x " +
                     std::to_string(data.shape.height) + " x " + std::to_string(data.shape.width) +
                     '\n';
  for (const Augmentation& each : augmentations) {
    text +=
        std::to_string(each.dy) + ' ' + std::to_string(each.dx) + (each.flip ? " flip\n" : "\n");
  }
  for (const std::uint32_t index : indices) {
    const std::span<const std::uint8_t> pixels = data.image(index);
    text.append(reinterpret_cast<const char*>(pixels.data()), pixels.size());
  }
  return Sha256Hex(text);
}

}  // namespace

at::Tensor TeacherLogits::Of(FloatNetwork& teacher, const ImageDataset& data,
                             std::span<const std::uint32_t> indices,
                             std::span<const Augmentation> augmentations) {
  const std::string key = KeyOf(data, indices, augmentations);
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  at::Tensor logits = teacher.Logits(data, indices, augmentations);
  const std::size_t bytes = static_cast<std::size_t>(logits.numel()) * sizeof(float);
  if (bytes_ + bytes > kMostTeacherLogitBytes) Forget();
  bytes_ += bytes;
  known_.emplace(key, logits);
  return logits;
}

void TeacherLogits::Forget() {
  known_.clear();
  bytes_ = 0;
}

}  // namespace bitpilot
