// The output stage in portable code, for kernels that are not compiled for an instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/output_args.h"
#include "kernels/requantize.h"

namespace bitpilot {

// Accumulators of pixel (y, x), channels [first, first + count), become codes or logits.
inline void StoreBlock(const OutputArgs& output, int y, int x, int first, int count,
                       const std::int32_t* acc) {
  const std::uint8_t* residual = nullptr;
  if (output.residual != nullptr) {
    residual = output.residual + y * output.residual_row_bytes + x * output.residual_pixel_bytes;
  }
  for (int o = first; o < first + count; ++o, ++acc) {
    // Unsigned, because the sum before the correction may wrap around; the corrected one fits.
    const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(*acc) +
                                               static_cast<std::uint32_t>(output.correction[o]));
    float t = Rescale(sum, output.scale[o], output.bias[o]);
    if (residual != nullptr) {
      t = AddResidual(t, residual[o] - output.residual_zero_point, output.residual_scale);
    }
    if (output.logits != nullptr) {
      output.logits[o] = t;
    } else {
      output.codes[y * output.row_bytes + x * output.pixel_bytes + o] =
          ToCode(t, static_cast<int>(output.zero_point), static_cast<int>(output.code_min),
                 static_cast<int>(output.code_max));
    }
  }
}

}  // namespace bitpilot
