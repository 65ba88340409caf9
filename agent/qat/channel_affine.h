// What follows a layer in one pass over its outputs: batch norm with known statistics, activation and
// fake quantization. Without LibTorch.
//
// Values are rows of channels, as channels-last tensors lie in memory. Every result is that of the
// separate steps on each value alone: it depends neither on the instruction set nor on the number of
// threads (ComputeThreads()).
#pragma once

#include <span>
#include <vector>

#include "agent/qat/lsq_kernels.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// value * scale[c] + shift[c], the product rounded before the sum. [C] each.
struct FloatAffine {
  std::vector<float> scale;
  std::vector<float> shift;
};

// Applies `affine` to all `values`, [rows, C], in place.
void ApplyInPlace(const FloatAffine& affine, std::span<float> values);

void ApplyInPlace(Activation activation, std::span<float> values);

// Where the outputs of a layer are stored.
struct StoreStep {
  const FloatAffine* affine = nullptr;  // nullptr: applied already
  Activation activation = Activation::kNone;
  float step = 1.0F;  // of the quantizer, > 0
  LevelRange range;
};

// Applies affine, activation and FakeQuantize() to all `values`, [rows, C], in place.
void StoreInPlace(const StoreStep& store, std::span<float> values);

}  // namespace bitpilot
