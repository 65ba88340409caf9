// Convolution over bit planes with the POPCNT instruction and nothing else. Only the functions that
// count are compiled for it, so that inline functions of the project are not.
#include "kernels/conv/conv.h"
#include "kernels/conv/conv_scalar_driver.h"

namespace bitpilot {
namespace {

constexpr int kStepBytes64 = 8;

inline std::uint64_t Load64(const std::uint8_t* data) {
  std::uint64_t value;
  __builtin_memcpy(&value, data, sizeof(value));
  return value;
}

// acc[o] += factor * (set bits that one plane of the window shares with one plane of channel o) - offset
[[gnu::target("popcnt")]] void AddSharedBits(const DepthRun* run, const std::uint8_t* window,
                                             const std::uint8_t* weights, std::int32_t factor,
                                             std::int32_t offset, std::int32_t* acc) {
  constexpr int kChannels = 8;  // Their counts stay in registers, as the loops are unrolled.
  for (int first = 0; first < kBlockChannels; first += kChannels) {
    const std::uint8_t* lane = weights + first * kStepBytes64;
    std::int64_t counts[kChannels] = {};
    for (const DepthRun* r = run; r->num_steps != 0; ++r) {
      const std::uint8_t* input = window + r->offset;
      for (int i = 0; i < r->num_steps; ++i, input += kStepBytes64) {
        const std::uint64_t x = Load64(input);
#pragma GCC unroll 8
        for (int o = 0; o < kChannels; ++o) {
          counts[o] += __builtin_popcountll(x & Load64(lane + o * kStepBytes64));
        }
        lane += kBlockChannels * kStepBytes64;
      }
    }
#pragma GCC unroll 8
    for (int o = 0; o < kChannels; ++o) {
      const std::int64_t added = factor * counts[o] - offset;
      // Modulo 2^32: only the sum without the zero point's share need fit.
      acc[first + o] = static_cast<std::int32_t>(acc[first + o] + added);
    }
  }
}

// Set bits of one plane of the window. The mask is a plane of weights, the same for every channel.
[[gnu::target("popcnt")]] std::int32_t CountWindow(const DepthRun* run, const std::uint8_t* window,
                                                   const std::uint8_t* mask) {
  std::int64_t count = 0;
  for (; run->num_steps != 0; ++run) {
    for (int i = 0; i < run->num_steps; ++i, mask += kBlockChannels * kStepBytes64) {
      count += __builtin_popcountll(Load64(window + run->offset + i * kStepBytes64) & Load64(mask));
    }
  }
  return static_cast<std::int32_t>(count);
}

void AccumulateBlock(const ConvArgs& args, const std::uint8_t* window, const std::uint8_t* weights,
                     std::int32_t* acc) {
  const int top = args.weight_planes - 1;
  for (int r = 0; r < args.input_planes; ++r, window += args.input_plane_bytes) {
    if (top == 0) {  // Set bits are 1, others -1: twice the shared bits less the window's.
      const std::int32_t sum = CountWindow(args.runs, window, weights + args.weight_plane_bytes);
      AddSharedBits(args.runs, window, weights, 2 << r, sum << r, acc);
      continue;
    }
    for (int q = 0; q <= top; ++q) {
      // Two's complement: the top plane counts negative.
      const std::int32_t factor = q == top ? -(1 << (q + r)) : 1 << (q + r);
      AddSharedBits(args.runs, window, weights + q * args.weight_plane_bytes, factor, 0, acc);
    }
  }
}

}  // namespace

void conv_w8a8_planes_scalar_popcnt(const ConvArgs& args, int row_begin, int row_end) {
  ConvolveScalar(args, row_begin, row_end,
                 [&args](const std::uint8_t* window, const std::uint8_t* weights,
                         std::int32_t* acc) { AccumulateBlock(args, window, weights, acc); });
}

}  // namespace bitpilot
