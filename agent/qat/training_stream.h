// TrainingStream: which training images come next, and how each is cropped and mirrored.
//
// A stream of its own (std::mt19937_64, whose numbers the C++ standard fixes) drives it, so that
// the same seed gives the same batches on every machine and a saved stream goes on exactly where it
// stopped.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "agent/qat/image_batch.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Pixels of padding around a training image before it is cropped.
inline constexpr int kMaxCropShift = 4;

class TrainingStream {
 public:
  explicit TrainingStream(std::uint64_t seed) : generator_(seed) {}

  // The next `count` images of a data set of `size`: each epoch visits every image once, in a new
  // order, and drops what does not fill a batch. A data set of another size starts a new epoch.
  //
  // REQUIRES: 1 <= count <= size < 2^32.
  std::vector<std::uint32_t> NextBatch(std::size_t count, std::size_t size);

  // Crop of an image padded by `max_shift` pixels on each side, and a mirror image every other time.
  Augmentation NextAugmentation(int max_shift, CropBorder border);

  // The generator as text, the order of the current epoch and the position in it.
  std::string generator_state() const;
  const std::vector<std::uint32_t>& order() const { return order_; }
  std::size_t position() const { return position_; }

  // Errors: kDataCorrupt if these cannot be a stream's state.
  Status Restore(std::string_view generator_state, std::vector<std::uint32_t> order,
                 std::size_t position);

 private:
  // Uniform in [0, bound). The few draws that would favour small numbers are drawn again.
  std::uint64_t Draw(std::uint64_t bound);

  std::mt19937_64 generator_;
  std::vector<std::uint32_t> order_;
  std::size_t position_ = 0;
};

}  // namespace bitpilot
