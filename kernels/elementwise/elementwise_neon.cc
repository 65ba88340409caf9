// Elementwise kernels of 64-bit Arm. As every kernel of an instruction set: use no inline
// function or template here but intrinsics and this file's own.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/elementwise/elementwise.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_neon.inc"

#include "kernels/elementwise/elementwise_vector.inc"

#include "kernels/elementwise/sign_tables.inc"

}  // namespace

void widen_codes_neon(const std::uint8_t* codes, std::size_t count, std::int16_t* words) {
  WidenAll(codes, count, words);
}

void pack_planes_neon(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                      std::ptrdiff_t pixel_bytes, int num_planes, std::uint8_t* planes,
                      std::ptrdiff_t plane_bytes) {
  PackPlanes(codes, num_pixels, pixel_bytes, num_planes, planes, plane_bytes);
}

void build_parities_neon(const std::uint8_t* plane, std::ptrdiff_t count, std::ptrdiff_t distance,
                         std::uint8_t* parities) {
  BuildParities(plane, count, distance, parities);
}

void build_tables_neon(const std::uint8_t* codes, std::size_t count, std::uint8_t* tables) {
  BuildTables(codes, count, tables);
}

void build_sign_tables_neon(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                            std::ptrdiff_t pixel_bytes, int channels, std::uint8_t* tables) {
  BuildSignTables(codes, num_pixels, pixel_bytes, channels, tables);
}

void sum_channels_neon(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                       std::ptrdiff_t pixel_bytes, int count, std::int32_t* sums) {
  SumChannels(codes, num_pixels, pixel_bytes, count, sums);
}

void sum_ahead_neon(std::int32_t* sums, std::ptrdiff_t count, std::ptrdiff_t distance, int terms) {
  SumAhead(sums, count, distance, terms);
}

void sum_pixels_neon(const std::uint8_t* codes, int num_pixels, std::ptrdiff_t pixel_bytes,
                     int count, std::int32_t* sums) {
  SumPixels(codes, num_pixels, pixel_bytes, count, sums);
}

void max_windows_neon(const PoolWindows& windows, int channels, std::uint8_t* largest) {
  FindLargest(windows, channels, largest);
}

void rescale_codes_neon(const std::uint8_t* codes, int num_pixels, std::ptrdiff_t pixel_bytes,
                        const OutputArgs& output, std::uint8_t* rescaled) {
  RescalePixels(codes, num_pixels, pixel_bytes, output, rescaled);
}

void convert_pixels_neon(const std::uint8_t* const* planes, const std::uint8_t* tables, int count,
                         std::ptrdiff_t pixel_bytes, std::uint8_t* codes) {
  ConvertPixels(planes, tables, count, pixel_bytes, codes);
}

}  // namespace bitpilot
