// The output stage in portable code, for kernels that are not compiled for an instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/output/output_args.h"
#include "kernels/output/requantize.h"

namespace bitpilot {

// Accumulators of pixel (y, x), channels [first, first + count), become codes or logits.
inline void StoreBlock(const OutputArgs& output, int y, int x, int first, int count,
                       const std::int32_t* acc) {
  // Copies, because the codes that are stored might be anything to the compiler, these included.
  const std::int32_t* correction = output.correction + first;
  const float* scale = output.scale + first;
  const float* bias = output.bias + first;
  const float zero_point = output.zero_point;
  const float code_min = output.code_min;
  const float code_max = output.code_max;
  std::uint8_t* codes = output.codes + y * output.row_bytes + x * output.pixel_bytes + first;
  float* logits = output.logits == nullptr ? nullptr : output.logits + first;
  const std::uint8_t* residual = nullptr;
  if (output.residual != nullptr) {
    residual =
        output.residual + y * output.residual_row_bytes + x * output.residual_pixel_bytes + first;
  }
  const int residual_zero_point = output.residual_zero_point;
  const float residual_scale = output.residual_scale;
  for (int o = 0; o < count; ++o) {
    // Unsigned, because the sum before the correction may wrap around; the corrected one fits.
    const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(acc[o]) +
                                               static_cast<std::uint32_t>(correction[o]));
    float t = Rescale(sum, scale[o], bias[o]);
    if (residual != nullptr) {
      t = AddResidual(t, residual[o] - residual_zero_point, residual_scale);
    }
    if (logits != nullptr) {
      logits[o] = t;
    } else {
      codes[o] = ClampToCode(t, zero_point, code_min, code_max);
    }
  }
}

}  // namespace bitpilot
