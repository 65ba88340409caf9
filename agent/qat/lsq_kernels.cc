#include "agent/qat/lsq_kernels.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "agent/qat/parallel_for.h"
#include "agent/qat/vector_clones.h"

#define BITPILOT_INLINE __attribute__((always_inline)) inline

namespace bitpilot {
namespace {

constexpr std::size_t kLanes = 16;
constexpr std::size_t kBlock = 4096;  // Values summed in float before the sum moves on to double.
constexpr std::size_t kPart = 32 * kBlock;  // What one thread takes at a time.

std::size_t NumParts(std::size_t n) { return (n + kPart - 1) / kPart; }

// Nearest even for |v| < 2^22: adding 1.5 * 2^23 pushes the fraction out. Unlike rintf it
// vectorises on every instruction set.
BITPILOT_INLINE float RoundToEven(float v) {
  constexpr float kMagic = 12582912.0F;
  return (v + kMagic) - kMagic;
}

BITPILOT_INLINE float Clamp(float v, float low, float high) {
  const float raised = v < low ? low : v;
  return raised > high ? high : raised;
}

template <bool kSign>
BITPILOT_INLINE float Level(float clamped) {
  if constexpr (kSign) {
    return clamped < 0.0F ? -1.0F : 1.0F;
  } else {
    return RoundToEven(clamped);
  }
}

template <bool kSign>
BITPILOT_INLINE void Forward(const float* x, float* y, std::size_t n, float step, float low,
                             float high) {
  const float inverse = 1.0F / step;
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = Level<kSign>(Clamp(x[i] * inverse, low, high)) * step;
  }
}

// One value of the backward pass. Multiplying with the 0/1 mask keeps the loop free of branches,
// which GCC 12 does not vectorise here.
template <bool kSign>
BITPILOT_INLINE float BackwardOne(float x, float dy, float inverse, float low, float high,
                                  float* dx) {
  const float v = x * inverse;
  const float clamped = Clamp(v, low, high);
  const float inside = clamped == v ? 1.0F : 0.0F;
  const float level = Level<kSign>(clamped);
  *dx = dy * inside;
  return dy * (kSign ? level : level - inside * v);
}

template <bool kSign>
BITPILOT_INLINE double BackwardBlock(const float* x, const float* dy, float* dx, std::size_t n,
                                     float inverse, float low, float high) {
  float lanes[kLanes] = {};
  const std::size_t whole = n - n % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] +=
          BackwardOne<kSign>(x[i + lane], dy[i + lane], inverse, low, high, &dx[i + lane]);
    }
  }
  for (std::size_t i = whole; i < n; ++i) {
    lanes[i - whole] += BackwardOne<kSign>(x[i], dy[i], inverse, low, high, &dx[i]);
  }
  double sum = 0.0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

template <bool kSign>
BITPILOT_INLINE double ErrorBlock(const float* x, std::size_t n, float step, float low,
                                  float high) {
  const float inverse = 1.0F / step;
  float lanes[kLanes] = {};
  const std::size_t whole = n - n % kLanes;
  for (std::size_t i = 0; i < whole; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float value = x[i + lane];
      const float error = Level<kSign>(Clamp(value * inverse, low, high)) * step - value;
      lanes[lane] += error * error;
    }
  }
  for (std::size_t i = whole; i < n; ++i) {
    const float error = Level<kSign>(Clamp(x[i] * inverse, low, high)) * step - x[i];
    lanes[i - whole] += error * error;
  }
  double sum = 0.0;
  for (const float lane : lanes) sum += lane;
  return sum;
}

BITPILOT_CLONES void ForwardLevels(const float* x, float* y, std::size_t n, float step, float low,
                                   float high) {
  Forward<false>(x, y, n, step, low, high);
}

BITPILOT_CLONES void ForwardSign(const float* x, float* y, std::size_t n, float step, float low,
                                 float high) {
  Forward<true>(x, y, n, step, low, high);
}

BITPILOT_CLONES double BackwardLevels(const float* x, const float* dy, float* dx, std::size_t n,
                                      float inverse, float low, float high) {
  return BackwardBlock<false>(x, dy, dx, n, inverse, low, high);
}

BITPILOT_CLONES double BackwardSign(const float* x, const float* dy, float* dx, std::size_t n,
                                    float inverse, float low, float high) {
  return BackwardBlock<true>(x, dy, dx, n, inverse, low, high);
}

BITPILOT_CLONES double ErrorLevels(const float* x, std::size_t n, float step, float low,
                                   float high) {
  return ErrorBlock<false>(x, n, step, low, high);
}

BITPILOT_CLONES double ErrorSign(const float* x, std::size_t n, float step, float low, float high) {
  return ErrorBlock<true>(x, n, step, low, high);
}

}  // namespace

LevelRange ActivationRange(int bits, int zero_point) {
  const int top = (1 << bits) - 1;
  return {static_cast<float>(-zero_point), static_cast<float>(top - zero_point), false};
}

LevelRange WeightRange(int bits) {
  if (bits == 1) return {-1.0F, 1.0F, true};
  const auto top = static_cast<float>((1 << (bits - 1)) - 1);
  return {-top, top, false};
}

void FakeQuantize(const float* x, float* y, std::size_t n, float step, const LevelRange& range) {
  const auto forward = range.is_sign ? ForwardSign : ForwardLevels;
  ParallelFor(NumParts(n), [&](std::size_t i) {
    const std::size_t begin = i * kPart;
    forward(x + begin, y + begin, std::min(kPart, n - begin), step, range.min, range.max);
  });
}

void QuantizeToLevels(const float* x, std::int8_t* levels, std::size_t n, float step,
                      const LevelRange& range) {
  const float inverse = 1.0F / step;
  for (std::size_t i = 0; i < n; ++i) {
    const float clamped = Clamp(x[i] * inverse, range.min, range.max);
    levels[i] =
        static_cast<std::int8_t>(range.is_sign ? Level<true>(clamped) : Level<false>(clamped));
  }
}

double FakeQuantizeBackward(const float* x, const float* dy, float* dx, std::size_t n, float step,
                            const LevelRange& range) {
  const auto backward = range.is_sign ? BackwardSign : BackwardLevels;
  const float inverse = 1.0F / step;
  std::vector<double> sums(NumParts(n));
  ParallelFor(sums.size(), [&](std::size_t part) {
    const std::size_t end = std::min(n, (part + 1) * kPart);
    for (std::size_t i = part * kPart; i < end; i += kBlock) {
      sums[part] +=
          backward(x + i, dy + i, dx + i, std::min(kBlock, end - i), inverse, range.min, range.max);
    }
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

double QuantizationError(const float* x, std::size_t n, float step, const LevelRange& range) {
  const auto error = range.is_sign ? ErrorSign : ErrorLevels;
  double sum = 0.0;
  for (std::size_t i = 0; i < n; i += kBlock) {
    sum += error(x + i, std::min(kBlock, n - i), step, range.min, range.max);
  }
  return sum;
}

double LsqGradientScale(std::size_t n, const LevelRange& range) {
  return 1.0 / std::sqrt(static_cast<double>(n) * std::max(1.0F, range.max));
}

}  // namespace bitpilot
