// Small loops over codes that no accumulating kernel covers: one set of functions for each
// instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/cpu/isa.h"
#include "kernels/elementwise/table_sizes.h"
#include "kernels/output/output_args.h"

namespace bitpilot {

// Windows of one row of outputs, all of one size.
struct PoolWindows {
  const std::uint8_t* codes = nullptr;  // First pixel of the first window.
  int count = 0;
  std::ptrdiff_t distance_bytes = 0;  // From one window to the next.
  int height = 0;                     // At least 1, as the width.
  int width = 0;
  std::ptrdiff_t row_bytes = 0;
  std::ptrdiff_t pixel_bytes = 0;
};

struct ElementwiseKernels {
  std::string_view suffix;  // Of kernel names: "avx2".
  CpuFeatures features;     // What they need of the CPU.
  // words[i] = codes[i] for i in [0, count).
  void (*widen_codes)(const std::uint8_t* codes, std::size_t count, std::int16_t* words);
  // planes[r * plane_bytes + pixel * ceil(pixel_bytes / 8) + c / 8], bit c % 8 = bit r of
  // codes[pixel * pixel_bytes + c], for r in [0, num_planes).
  //
  // REQUIRES: pixel_bytes is a multiple of 4.
  void (*pack_planes)(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                      std::ptrdiff_t pixel_bytes, int num_planes, std::uint8_t* planes,
                      std::ptrdiff_t plane_bytes);
  // parities[i] = plane[i] ^ plane[i + distance] ^ plane[i + 2 * distance], for i in [0, count).
  void (*build_parities)(const std::uint8_t* plane, std::ptrdiff_t count, std::ptrdiff_t distance,
                         std::uint8_t* parities);
  // tables[16 * i + e] = the sum of codes[4 * i + b] over the bits b that are set in e, modulo 256,
  // for i in [0, count).
  void (*build_tables)(const std::uint8_t* codes, std::size_t count, std::uint8_t* tables);
  // For each pixel and 16 channels, ceil(pixel_bytes / 16) of them, a table of kSignTableBytes:
  // tables[16 * (e / 4) + 4 * i + e % 4] = the sum of codes 4 i to 4 i + 3, the one of each bit
  // that is set in e added and the others subtracted, as an int8. Codes from `channels` on count as
  // 0.
  //
  // REQUIRES: codes of at most 31.
  void (*build_sign_tables)(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                            std::ptrdiff_t pixel_bytes, int channels, std::uint8_t* tables);
  // sums[pixel] = the sum of codes[pixel * pixel_bytes + c] over c in [0, count).
  void (*sum_channels)(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                       std::ptrdiff_t pixel_bytes, int count, std::int32_t* sums);
  // sums[i] += sums[i + distance] + .. + sums[i + (terms - 1) * distance], from i = 0 on, for i in
  // [0, count).
  void (*sum_ahead)(std::int32_t* sums, std::ptrdiff_t count, std::ptrdiff_t distance, int terms);
  // sums[c] += the sum over pixels of codes[pixel * pixel_bytes + c], for c in [0, count).
  void (*sum_pixels)(const std::uint8_t* codes, int num_pixels, std::ptrdiff_t pixel_bytes,
                     int count, std::int32_t* sums);
  // largest[i * pixel_bytes + c] = the largest code of channel c in window i, for c in [0,
  // channels). May read and write up to 63 bytes more.
  void (*max_windows)(const PoolWindows& windows, int channels, std::uint8_t* largest);
  // rescaled[pixel * output.pixel_bytes + c] = the code of the sum codes[pixel * pixel_bytes + c]
  // in channel c of `output`, which has no residual.
  void (*rescale_codes)(const std::uint8_t* codes, int num_pixels, std::ptrdiff_t pixel_bytes,
                        const OutputArgs& output, std::uint8_t* rescaled);
  // codes[pixel * pixel_bytes + c] = tables[256 * c + planes[c][pixel]], for c in [0, 4) and pixel
  // in [0, count). Pixels of 3 bytes have no c = 3.
  void (*convert_pixels)(const std::uint8_t* const* planes, const std::uint8_t* tables, int count,
                         std::ptrdiff_t pixel_bytes, std::uint8_t* codes);
};

// Every set in this build. Not all can run on this CPU.
std::span<const ElementwiseKernels> AllElementwiseKernels();

// The widest set that `limit` allows.
const ElementwiseKernels& SelectElementwiseKernels(Isa limit);

}  // namespace bitpilot
