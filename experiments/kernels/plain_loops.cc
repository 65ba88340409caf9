#include "experiments/kernels/plain_loops.h"

#include <cstddef>

#include "kernels/output/requantize.h"

namespace bitpilot {

void RunPlainLoops(PlainLayer& layer) {
  const int row = (layer.size + layer.filter - 1) * layer.channels;
  const std::int64_t depth = std::int64_t{layer.filter} * layer.filter * layer.channels;
  std::uint8_t* code = layer.output.data();
  for (int y = 0; y < layer.size; ++y) {
    for (int x = 0; x < layer.size; ++x) {
      for (int o = 0; o < layer.out_channels; ++o) {
        const std::int8_t* weight = layer.weights.data() + o * depth;
        std::int32_t acc = 0;
        for (int fy = 0; fy < layer.filter; ++fy) {
          const std::uint8_t* input = layer.input.data() + (y + fy) * row + x * layer.channels;
          for (int i = 0; i < layer.filter * layer.channels; ++i) {
            acc += *input++ * *weight++;
          }
        }
        const auto channel = static_cast<std::size_t>(o);
        *code++ = ToCode(Rescale(acc, layer.scale[channel], layer.bias[channel]), 0, 0, 255);
      }
    }
  }
}

}  // namespace bitpilot
