#include "agent/qat/training_stream.h"

#include <limits>
#include <numeric>
#include <sstream>
#include <utility>

#include "kernels/base/check.h"

namespace bitpilot {

std::uint64_t TrainingStream::Draw(std::uint64_t bound) {
  const std::uint64_t limit =
      std::numeric_limits<std::uint64_t>::max() / bound * bound;  // a multiple of bound
  std::uint64_t number = generator_();
  while (number >= limit) number = generator_();
  return number % bound;
}

std::vector<std::uint32_t> TrainingStream::NextBatch(std::size_t count, std::size_t size) {
  BITPILOT_CHECK(count >= 1 && count <= size);
  if (order_.size() != size || position_ + count > size) {
    order_.resize(size);
    std::iota(order_.begin(), order_.end(), 0U);
    for (std::size_t i = size - 1; i > 0; --i) std::swap(order_[i], order_[Draw(i + 1)]);
    position_ = 0;
  }
  const auto begin = order_.begin() + static_cast<std::ptrdiff_t>(position_);
  position_ += count;
  return {begin, begin + static_cast<std::ptrdiff_t>(count)};
}

Augmentation TrainingStream::NextAugmentation(int max_shift, CropBorder border) {
  const auto positions = static_cast<std::uint64_t>(2 * max_shift + 1);
  Augmentation augmentation;
  augmentation.border = border;
  augmentation.dy = static_cast<int>(Draw(positions)) - max_shift;
  augmentation.dx = static_cast<int>(Draw(positions)) - max_shift;
  augmentation.flip = Draw(2) == 1;
  return augmentation;
}

std::string TrainingStream::generator_state() const {
  std::ostringstream text;
  text << generator_;
  return text.str();
}

Status TrainingStream::Restore(std::string_view generator_state, std::vector<std::uint32_t> order,
                               std::size_t position) {
  std::istringstream text{std::string(generator_state)};
  std::mt19937_64 generator;
  text >> generator;
  if (text.fail()) return DataCorrupt("training stream: expected the state of a generator");
  for (const std::uint32_t index : order) {
    if (index >= order.size()) {
      return DataCorrupt("training stream: expected image numbers below " +
                         std::to_string(order.size()) + ", got " + std::to_string(index));
    }
  }
  if (position > order.size()) {
    return DataCorrupt("training stream: position " + std::to_string(position) + " of " +
                       std::to_string(order.size()) + " images");
  }
  generator_ = generator;
  order_ = std::move(order);
  position_ = position;
  return Status();
}

}  // namespace bitpilot
