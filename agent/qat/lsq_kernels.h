// Fake quantization of contiguous floats, forward and backward, without LibTorch.
//
//   v = x / s                                       s: the step size, one quantization level
//   y = s * level,  level = nearest_even(clamp(v, q_min, q_max))
//   dx = dy where q_min <= v <= q_max, else 0       (straight-through estimator)
//   ds = sum of dy * (level - v inside the range, level outside)
//
// One bit for weights (kSignRange) has no zero: level = -1 or +1 (0 counts as +1), dx = dy where
// |v| <= 1, ds = sum of dy * level.
//
// Results depend neither on the instruction set nor on the number of threads (ComputeThreads()): every
// sum runs over 16 fixed lanes, fixed blocks of values and fixed parts of these, one thread each.
//
// Source: Esser et al., "Learned Step Size Quantization", ICLR 2020, arXiv:1902.08153, equations
// 1-3.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitpilot {

// Smallest step size that is ever chosen or learned: a channel of zeros still has a finite,
// positive one.
inline constexpr float kMinStepSize = 1e-8F;

// Levels a quantizer may take, both ends included; integers held as float.
struct LevelRange {
  float min = 0.0F;
  float max = 255.0F;
  bool is_sign = false;  // one-bit weights: only -1 and +1
  friend bool operator==(const LevelRange&, const LevelRange&) = default;
};

// Codes [0, 2^bits - 1] with `zero_point` taken off: what a stored tensor of `bits` bits can hold.
LevelRange ActivationRange(int bits, int zero_point);

// [-(2^(bits-1) - 1), 2^(bits-1) - 1], or the sign for one bit.
LevelRange WeightRange(int bits);

// y[i] = fake-quantized x[i]. `y` may be `x`.
//
// REQUIRES: step > 0; |range.min|, |range.max| < 2^22.
void FakeQuantize(const float* x, float* y, std::size_t n, float step, const LevelRange& range);

// levels[i] of x[i], exactly those that FakeQuantize() multiplies with the step size.
//
// REQUIRES: as FakeQuantize(), and the range fits an int8.
void QuantizeToLevels(const float* x, std::int8_t* levels, std::size_t n, float step,
                      const LevelRange& range);

// Writes dx [n] and returns ds, both without LSQ's gradient scale. `dx` may be `dy`.
double FakeQuantizeBackward(const float* x, const float* dy, float* dx, std::size_t n, float step,
                            const LevelRange& range);

// Sum of (y - x)^2.
double QuantizationError(const float* x, std::size_t n, float step, const LevelRange& range);

// Factor of ds in training: 1 / sqrt(n * q_max), n values sharing one step size (section 2.2).
double LsqGradientScale(std::size_t n, const LevelRange& range);

}  // namespace bitpilot
