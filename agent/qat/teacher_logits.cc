#include "agent/qat/teacher_logits.h"

#include <string>
#include <utility>

namespace bitpilot {
namespace {

// Of the pixels themselves: images in memory may be others than those of the call before.
Sha256Digest KeyOf(const ImageDataset& data, std::span<const std::uint32_t> indices,
                   std::span<const Augmentation> augmentations) {
  std::string text = std::to_string(data.shape.channels) + " x " +
                     std::to_string(data.shape.height) + " x " + std::to_string(data.shape.width) +
                     '\n';
  for (const Augmentation& each : augmentations) {
    text += std::to_string(each.dy) + ' ' + std::to_string(each.dx) + (each.flip ? " flip" : "") +
            (each.border == CropBorder::kEdge ? " edge\n" : "\n");
  }
  for (const std::uint32_t index : indices) {
    const std::span<const std::uint8_t> pixels = data.image(index);
    text.append(reinterpret_cast<const char*>(pixels.data()), pixels.size());
  }
  return ComputeSha256(text);
}

// All that is kept for `logits`: the values are few where mini-batches are small.
std::size_t EntryBytes(const at::Tensor& logits) {
  constexpr std::size_t kAllocations =
      4;  // of the map's node, the tensor, its storage and its values
  constexpr std::size_t kBytesAnAllocation = 32;  // the allocator's own, and the node's links
  return sizeof(std::pair<const Sha256Digest, at::Tensor>) + sizeof(c10::TensorImpl) +
         sizeof(c10::StorageImpl) + logits.storage().nbytes() + kAllocations * kBytesAnAllocation;
}

}  // namespace

at::Tensor TeacherLogits::Of(FloatNetwork& teacher, const ImageDataset& data,
                             std::span<const std::uint32_t> indices,
                             std::span<const Augmentation> augmentations) {
  const Sha256Digest key = KeyOf(data, indices, augmentations);
  const auto known = known_.find(key);
  if (known != known_.end()) return known->second;
  at::Tensor logits = teacher.Teach(data, indices, augmentations);
  const std::size_t bytes = EntryBytes(logits);
  if (bytes_ + bytes > most_bytes_) return logits;
  bytes_ += bytes;
  known_.emplace(key, logits);
  return logits;
}

void TeacherLogits::Forget() {
  known_.clear();
  bytes_ = 0;
}

}  // namespace bitpilot
