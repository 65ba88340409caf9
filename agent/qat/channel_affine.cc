#include "agent/qat/channel_affine.h"

#include <algorithm>
#include <cstddef>

#include "agent/qat/parallel_for.h"
#include "agent/qat/vector_clones.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

constexpr std::size_t kBlock = 2048;        // Values that stay in the first-level cache.
constexpr std::size_t kBlocksOfAPart = 64;  // What one thread takes at a time.

// The coefficients of as many whole rows as fit a block: long loops, whatever the number of channels.
FloatAffine Repeated(const FloatAffine& affine) {
  const std::size_t rows = std::max<std::size_t>(1, kBlock / affine.scale.size());
  FloatAffine repeated;
  for (std::size_t row = 0; row < rows; ++row) {
    repeated.scale.insert(repeated.scale.end(), affine.scale.begin(), affine.scale.end());
    repeated.shift.insert(repeated.shift.end(), affine.shift.begin(), affine.shift.end());
  }
  return repeated;
}

BITPILOT_CLONES void ScaleAndShift(const float* __restrict scale, const float* __restrict shift,
                                   float* __restrict values, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) values[i] = values[i] * scale[i] + shift[i];
}

BITPILOT_CLONES void ClampBelow(float* values, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) values[i] = values[i] < 0.0F ? 0.0F : values[i];
}

BITPILOT_CLONES void ClampToSix(float* values, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    const float raised = values[i] < 0.0F ? 0.0F : values[i];
    values[i] = raised > 6.0F ? 6.0F : raised;
  }
}

// Calls body(block) for blocks of `size` values, the last one may be shorter, on all threads.
template <typename Body>
void ForBlocks(std::span<float> values, std::size_t size, const Body& body) {
  const std::size_t part = size * kBlocksOfAPart;
  ParallelFor((values.size() + part - 1) / part, [&](std::size_t i) {
    const std::size_t end = std::min(values.size(), (i + 1) * part);
    for (std::size_t begin = i * part; begin < end; begin += size) {
      body(values.subspan(begin, std::min(size, end - begin)));
    }
  });
}

}  // namespace

void ApplyInPlace(const FloatAffine& affine, std::span<float> values) {
  BITPILOT_CHECK(values.size() % affine.scale.size() == 0);
  const FloatAffine repeated = Repeated(affine);
  ForBlocks(values, repeated.scale.size(), [&](std::span<float> block) {
    ScaleAndShift(repeated.scale.data(), repeated.shift.data(), block.data(), block.size());
  });
}

void ApplyInPlace(Activation activation, std::span<float> values) {
  if (activation == Activation::kRelu) ClampBelow(values.data(), values.size());
  if (activation == Activation::kRelu6) ClampToSix(values.data(), values.size());
}

void StoreInPlace(const StoreStep& store, std::span<float> values) {
  FloatAffine repeated;
  if (store.affine != nullptr) {
    BITPILOT_CHECK(values.size() % store.affine->scale.size() == 0);
    repeated = Repeated(*store.affine);
  }
  const std::size_t size = store.affine != nullptr ? repeated.scale.size() : kBlock;
  ForBlocks(values, size, [&](std::span<float> block) {
    if (store.affine != nullptr) {
      ScaleAndShift(repeated.scale.data(), repeated.shift.data(), block.data(), block.size());
    }
    ApplyInPlace(store.activation, block);
    // A block is one part to it: it wakes no other thread.
    FakeQuantize(block.data(), block.data(), block.size(), store.step, store.range);
  });
}

}  // namespace bitpilot
