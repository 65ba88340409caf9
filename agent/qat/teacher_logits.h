// What a teacher says of augmented mini-batches, kept: one search trains on the same mini-batches again
// and again (uniform 8 bit alone, then what it tries from each place, then every finalist), and its
// teacher's pass costs a fifth of such a mini-batch.
#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>

#include "agent/model/image_dataset.h"
#include "agent/qat/float_network.h"
#include "agent/qat/image_batch.h"
#include "kernels/base/sha256.h"

namespace bitpilot {

// Bytes kept at most. CIFAR-10's 10 classes: about 3,000 mini-batches of 128 images. The oldest stay: all
// trainings of a search begin with the same mini-batches, and a long one would otherwise have forgotten
// each before it comes again.
inline constexpr std::size_t kMostTeacherLogitBytes = 16U << 20;

class TeacherLogits {
 public:
  explicit TeacherLogits(std::size_t most_bytes = kMostTeacherLogitBytes)
      : most_bytes_(most_bytes) {}

  // FloatNetwork::Teach() of `teacher`, to the bit, computed once for the same pixels while there is room.
  // The tensor is shared: nobody writes into it.
  //
  // REQUIRES: `teacher` is the network of the calls before, or Forget() came between.
  at::Tensor Of(FloatNetwork& teacher, const ImageDataset& data,
                std::span<const std::uint32_t> indices,
                std::span<const Augmentation> augmentations);

  // Another network teaches from now on.
  void Forget();

  // That are kept, of memory.
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t most_bytes_;
  std::map<Sha256Digest, at::Tensor> known_;  // by a hash of what the teacher reads
  std::size_t bytes_ = 0;
};

}  // namespace bitpilot
