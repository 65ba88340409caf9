// Post-training choice of step sizes: the one that minimizes the squared error of fake-quantized
// values.
//
// Each search tries a fixed geometric grid of clipping ranges, from the values' whole range
// downwards; the same values always give the same answer, never below kMinStepSize.
#pragma once

#include <cstddef>
#include <span>

#include "agent/qat/lsq_kernels.h"

namespace bitpilot {

// Step size of one output channel's weights. One bit: the mean magnitude, which is the exact
// minimum.
//
// REQUIRES: bits in [1, 8].
float SearchWeightStep(std::span<const float> weights, int bits);

struct ActivationStep {
  float step = 1.0F;
  int zero_point = 0;  // 0 if no value is negative
  friend bool operator==(const ActivationStep&, const ActivationStep&) = default;
};

// Step size and zero point of a tensor, from a sample of its values before quantization.
// `non_negative` forces zero point 0: negative values are then cut off by the quantizer, as ReLU
// does.
//
// REQUIRES: bits in [1, 8].
ActivationStep SearchActivationStep(std::span<const float> values, int bits, bool non_negative);

}  // namespace bitpilot
