// Portable convolution kernels, for CPUs without vector instructions. Compiled without the
// vectorizer, so that on a large CPU `--isa scalar` stands for a small one.
#include "kernels/conv.h"
#include "kernels/conv_scalar_driver.h"

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
  ConvolveScalar(
      args, row_begin, row_end,
      [&args](const std::uint8_t* window, const std::uint8_t* weights, std::int32_t* acc) {
        AccumulateBlock(args, window, reinterpret_cast<const std::int8_t*>(weights), acc);
      });
}

}  // namespace bitpilot
