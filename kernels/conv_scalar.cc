// Portable convolution kernels, for CPUs without vector instructions. Compiled without the
// vectorizer, so that on a large CPU `--isa scalar` stands for a small one.
#include "kernels/conv.h"
#include "kernels/store_scalar.h"

namespace bitpilot {
namespace {

// Sums of one pixel's window with one block of 16 channels.
void AccumulateBlock(const ConvArgs& args, const std::uint8_t* window, const std::int8_t* weights,
                     std::int32_t* acc) {
  for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) {
    const std::uint8_t* input = window + run->offset;
    const std::uint8_t* end = input + 4 * static_cast<std::ptrdiff_t>(run->num_steps);
    for (; input != end; input += 4, weights += kStepBytes) {
      const int x0 = input[0];
      const int x1 = input[1];
      const int x2 = input[2];
      const int x3 = input[3];
      for (int o = 0; o < kBlockChannels; ++o) {
        const std::int8_t* w = weights + 4 * o;
        acc[o] += x0 * w[0] + x1 * w[1] + x2 * w[2] + x3 * w[3];
      }
    }
  }
}

}  // namespace

void conv_w8a8_i32_scalar(const ConvArgs& args, int row_begin, int row_end) {
  for (int first = 0; first < args.output.channels; first += kBlockChannels) {
    const int count = args.output.channels - first < kBlockChannels ? args.output.channels - first
                                                                    : kBlockChannels;
    const auto* weights = reinterpret_cast<const std::int8_t*>(
        args.weights + first / kBlockChannels * args.weight_block_bytes);
    for (int y = row_begin; y < row_end; ++y) {
      for (int x = 0; x < args.output.width; ++x) {
        std::int32_t acc[kBlockChannels] = {};
        AccumulateBlock(args, args.input + y * args.input_row_bytes + x * args.input_pixel_bytes,
                        weights, acc);
        StoreBlock(args.output, y, x, first, count, acc);
      }
    }
  }
}

}  // namespace bitpilot
