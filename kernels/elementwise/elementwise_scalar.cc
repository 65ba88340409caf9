// Portable elementwise kernels.
#include "kernels/elementwise/elementwise.h"

#include "kernels/output/requantize.h"

namespace bitpilot {
namespace {

#include "kernels/elementwise/convert_pixels.inc"
#include "kernels/elementwise/pack_planes.inc"
#include "kernels/elementwise/sign_tables.inc"
#include "kernels/elementwise/table_sums.inc"

}  // namespace

void widen_codes_scalar(const std::uint8_t* codes, std::size_t count, std::int16_t* words) {
  for (std::size_t i = 0; i < count; ++i) {
    words[i] = codes[i];
  }
}

void pack_planes_scalar(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                        std::ptrdiff_t pixel_bytes, int num_planes, std::uint8_t* planes,
                        std::ptrdiff_t plane_bytes) {
  for (; num_pixels > 0; --num_pixels, codes += pixel_bytes, planes += (pixel_bytes + 7) / 8) {
    for (int r = 0; r < num_planes; ++r) {
      PackPlaneBytes(codes, pixel_bytes, r, planes + r * plane_bytes);
    }
  }
}

void build_parities_scalar(const std::uint8_t* plane, std::ptrdiff_t count, std::ptrdiff_t distance,
                           std::uint8_t* parities) {
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    parities[i] = Parity(plane + i, distance);
  }
}

void build_tables_scalar(const std::uint8_t* codes, std::size_t count, std::uint8_t* tables) {
  for (std::size_t i = 0; i < count; ++i) {
    BuildTable(codes + 4 * i, tables + 16 * i);
  }
}

void build_sign_tables_scalar(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                              std::ptrdiff_t pixel_bytes, int channels, std::uint8_t* tables) {
  BuildSignTables(codes, num_pixels, pixel_bytes, channels, tables);
}

void sum_channels_scalar(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                         std::ptrdiff_t pixel_bytes, int count, std::int32_t* sums) {
  for (std::ptrdiff_t pixel = 0; pixel < num_pixels; ++pixel, codes += pixel_bytes) {
    sums[pixel] = SumCodes(codes, count);
  }
}

void sum_ahead_scalar(std::int32_t* sums, std::ptrdiff_t count, std::ptrdiff_t distance,
                      int terms) {
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    AddAhead(sums + i, distance, terms);
  }
}

void sum_pixels_scalar(const std::uint8_t* codes, int num_pixels, std::ptrdiff_t pixel_bytes,
                       int count, std::int32_t* sums) {
  for (int pixel = 0; pixel < num_pixels; ++pixel, codes += pixel_bytes) {
    for (int c = 0; c < count; ++c) {
      sums[c] += codes[c];
    }
  }
}

void max_windows_scalar(const PoolWindows& windows, int channels, std::uint8_t* largest) {
  const std::uint8_t* window = windows.codes;
  for (int i = 0; i < windows.count; ++i) {
    for (int c = 0; c < channels; ++c) {
      largest[c] = window[c];
    }
    for (int y = 0; y < windows.height; ++y) {
      for (int x = 0; x < windows.width; ++x) {
        const std::uint8_t* pixel = window + y * windows.row_bytes + x * windows.pixel_bytes;
        for (int c = 0; c < channels; ++c) {
          largest[c] = largest[c] > pixel[c] ? largest[c] : pixel[c];
        }
      }
    }
    window += windows.distance_bytes;
    largest += windows.pixel_bytes;
  }
}

void rescale_codes_scalar(const std::uint8_t* codes, int num_pixels, std::ptrdiff_t pixel_bytes,
                          const OutputArgs& output, std::uint8_t* rescaled) {
  for (int pixel = 0; pixel < num_pixels; ++pixel) {
    for (int c = 0; c < output.channels; ++c) {
      const float t = Rescale(codes[c] + output.correction[c], output.scale[c], output.bias[c]);
      rescaled[c] = ClampToCode(t, output.zero_point, output.code_min, output.code_max);
    }
    codes += pixel_bytes;
    rescaled += output.pixel_bytes;
  }
}

void convert_pixels_scalar(const std::uint8_t* const* planes, const std::uint8_t* tables, int count,
                           std::ptrdiff_t pixel_bytes, std::uint8_t* codes) {
  ConvertPixels(planes, tables, count, pixel_bytes, codes);
}

}  // namespace bitpilot
