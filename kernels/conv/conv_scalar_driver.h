// The loops that portable convolution kernels share: every pixel of every block of 16 channels.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/conv/conv.h"
#include "kernels/output/store_scalar.h"

namespace bitpilot {

// Calls accumulate(window, weights, acc) for each output pixel and block of channels, then stores
// the block. It adds the sums of the pixel's window with the block's packed weights to acc[16].
template <typename Accumulate>
void ConvolveScalar(const ConvArgs& args, int row_begin, int row_end,
                    const Accumulate& accumulate) {
  for (int first = 0; first < args.output.channels; first += kBlockChannels) {
    const int count = std::min(args.output.channels - first, kBlockChannels);
    const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
    for (int y = row_begin; y < row_end; ++y) {
      for (int x = 0; x < args.output.width; ++x) {
        std::int32_t acc[kBlockChannels] = {};
        accumulate(args.input + y * args.input_row_bytes + x * args.input_pixel_bytes, weights,
                   acc);
        StoreBlock(args.output, y, x, first, count, acc);
      }
    }
  }
}

}  // namespace bitpilot
