// Portable depthwise kernel.
#include "kernels/depthwise/depthwise.h"
#include "kernels/output/store_scalar.h"

namespace bitpilot {

void depthwise_w8a8_i32_scalar(const DepthwiseArgs& args, int row_begin, int row_end) {
  for (int y = row_begin; y < row_end; ++y) {
    for (int x = 0; x < args.output.width; ++x) {
      const std::uint8_t* window =
          args.input + y * args.input_row_bytes + x * args.input_pixel_bytes;
      const auto* weights = static_cast<const std::int16_t*>(args.weights);
      for (int first = 0; first < args.output.channels; first += kBlockChannels) {
        const int left = args.output.channels - first;
        const int count = left < kBlockChannels ? left : kBlockChannels;
        std::int32_t acc[kBlockChannels] = {};
        for (int tap = 0; tap < args.num_taps; tap += 2, weights += 2 * kBlockChannels) {
          const std::uint8_t* even = window + args.tap_offsets[tap] + first;
          const std::uint8_t* odd = window + args.tap_offsets[tap + 1] + first;
          for (int c = 0; c < count; ++c) {
            acc[c] += even[c] * weights[2 * c] + odd[c] * weights[2 * c + 1];
          }
        }
        StoreBlock(args.output, y, x, first, count, acc);
      }
    }
  }
}

}  // namespace bitpilot
