// What every kernel with accumulators needs to turn them into codes: the numbers of
// kernels/output/requantize.h's rule, and where results go.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bitpilot {

// Kernels work on blocks of 16 output channels; arrays over channels are padded to whole blocks.
inline constexpr int kBlockChannels = 16;

// More comparisons would take as long as kernels/output/requantize.h's arithmetic.
inline constexpr int kMaxCodeThresholds = 3;

constexpr int NumBlocks(int channels) { return (channels + kBlockChannels - 1) / kBlockChannels; }

// Plain data, so that files compiled for one instruction set call no inline function: the linker
// might keep that copy for every CPU.
struct OutputArgs {
  int channels = 0;                          // > 0
  const std::int32_t* correction = nullptr;  // [channels, padded]; added to the accumulators
  const float* scale = nullptr;              // [channels, padded]
  const float* bias = nullptr;               // [channels, padded]
  float zero_point = 0.0F;
  float code_min = 0.0F;
  float code_max = 255.0F;
  // No correction, zero_point 0 and code_min 0: kernels may leave these steps out.
  bool is_plain = false;
  // t cannot leave the range of an int32, whatever the input (StaysInInt32()): kernels may convert
  // before they clamp.
  bool stays_in_int32 = false;

  // The same as thresholds (kernels/output/code_thresholds.h), which kernels may use instead;
  // num_thresholds 0: there are none.
  int num_thresholds = 0;
  std::ptrdiff_t threshold_stride = 0;            // Channels from one to the next higher.
  const std::int32_t* thresholds = nullptr;       // [num_thresholds][threshold_stride]
  const std::uint8_t* threshold_flips = nullptr;  // [channels, padded]

  int width = 0;                  // Output pixels of a row.
  std::uint8_t* codes = nullptr;  // Pixel (0, 0), first channel.
  std::ptrdiff_t row_bytes = 0;
  std::ptrdiff_t pixel_bytes = 0;
  // [channels] of the network's one output pixel: float t instead of codes, or null.
  float* logits = nullptr;

  // Pixel (0, 0), first channel, or null for none. Never overlaps `codes`. Kernels may read, though
  // not use, whole blocks of channels: behind a tensor lies slack
  // (kernels/runtime/tensor_layout.h).
  const std::uint8_t* residual = nullptr;
  std::ptrdiff_t residual_row_bytes = 0;
  std::ptrdiff_t residual_pixel_bytes = 0;
  std::int32_t residual_zero_point = 0;
  float residual_scale = 0.0F;
};

}  // namespace bitpilot
