// Requantization: from an accumulator to a code. This header is normative: training, the host's
// reference and every kernel on every instruction set give these bits.
//
// All of it is float32, every operation rounded to nearest even, nothing contracted into a fused
// multiply-add (the build passes -ffp-contract=off):
//
//   t    = float(acc) * scale + bias
//   t    = t + float(residual - residual_zero_point) * residual_scale      with a residual; the product is rounded first
//   t    = t + float(zero_point)
//   code = nearest_even(clamp(t, float(code_min), float(code_max)))
//
// The clamp comes before the conversion, because the conversion of a float above 2^31 is not
// defined.
#pragma once

#include <cmath>
#include <cstdint>

namespace bitpilot {

// t without a residual. float(acc) rounds to nearest even above 2^24, as cvtdq2ps does.
inline float Rescale(std::int32_t acc, float scale, float bias) {
  const float product = static_cast<float>(acc) * scale;
  return product + bias;
}

// t with a residual.
inline float AddResidual(float t, int residual_minus_zero_point, float residual_scale) {
  const float product = static_cast<float>(residual_minus_zero_point) * residual_scale;
  return t + product;
}

// Clamps in float, then converts to nearest even (the rounding mode of every thread is the default
// one).
inline std::uint8_t ClampToCode(float t, float zero_point, float code_min, float code_max) {
  float shifted = t + zero_point;
  shifted = shifted < code_min ? code_min : shifted;
  shifted = shifted > code_max ? code_max : shifted;
  return static_cast<std::uint8_t>(std::lrintf(shifted));
}

inline std::uint8_t ToCode(float t, int zero_point, int code_min, int code_max) {
  return ClampToCode(t, static_cast<float>(zero_point), static_cast<float>(code_min),
                     static_cast<float>(code_max));
}

}  // namespace bitpilot
