// What a teacher says of augmented mini-batches, kept: one search trains on the same mini-batches again
// and again (uniform 8 bit alone, then what it tries from each place, then every finalist), and its
// teacher's pass costs a fifth of such a mini-batch.
#pragma once

#include <torch/torch.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "agent/model/image_dataset.h"
#include "agent/qat/float_network.h"
#include "agent/qat/image_batch.h"

namespace bitpilot {

// Bytes of logits kept at most; all are forgotten once they are more. CIFAR-10's 10 classes: 3,200
// mini-batches of 128 images.
inline constexpr std::size_t kMostTeacherLogitBytes = 16U << 20;

class TeacherLogits {
 public:
  // FloatNetwork::Logits() of `teacher`, to the bit, computed once for the same pixels. The tensor is
  // shared: nobody writes into it.
  //
  // REQUIRES: `teacher` is the network of the calls before, or Forget() came between.
  at::Tensor Of(FloatNetwork& teacher, const ImageDataset& data,
                std::span<const std::uint32_t> indices,
                std::span<const Augmentation> augmentations);

  // Another network teaches from now on.
  void Forget();

 private:
  std::map<std::string, at::Tensor> known_;  // by a hash of what the teacher reads
  std::size_t bytes_ = 0;
};

}  // namespace bitpilot
