// AVX-512 elementwise kernels. Compiled with AVX-512 flags on top of the project's: use no inline
// function or template here but intrinsics and this file's own.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/elementwise/elementwise.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_avx512.inc"

#include "kernels/elementwise/elementwise_vector.inc"

// Byte 4 e + b: 1 where bit b of e is set, else -1.
struct Signs {
  constexpr Signs() {
    for (int i = 0; i < 64; ++i) {
      bytes[i] = static_cast<std::int8_t>((i / 4 >> i % 4 & 1) != 0 ? 1 : -1);
    }
  }
  alignas(64) std::int8_t bytes[64] = {};
};
constexpr Signs kSigns;

// The table of 16 codes: dot products of each four with all signs, packed.
[[gnu::always_inline]] inline Vec SignTable(const std::uint8_t* codes, Vec signs) {
  Vec sums[4];
  Unroll<4>([&](auto i) __attribute__((always_inline)) {
    sums[i] = _mm512_dpbusd_epi32(Zero(), Broadcast32(codes + 4 * i), signs);
  });
  return _mm512_packs_epi16(_mm512_packs_epi32(sums[0], sums[1]),
                            _mm512_packs_epi32(sums[2], sums[3]));
}

void BuildSignTables(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                     std::ptrdiff_t pixel_bytes, int channels, std::uint8_t* tables) {
  const Vec signs = Load(kSigns.bytes);
  std::ptrdiff_t whole = channels / kSignTableChannels * kSignTableChannels;
  if (whole == pixel_bytes) {  // Pixels leave no gaps: one long one.
    whole = pixel_bytes = pixel_bytes * num_pixels;
    num_pixels = 1;
  }
  for (; num_pixels > 0; --num_pixels, codes += pixel_bytes) {
    std::ptrdiff_t c = 0;
    for (; c < whole; c += kSignTableChannels, tables += kSignTableBytes) {
      StoreInts(tables, SignTable(codes + c, signs));
    }
    if (c < pixel_bytes) {
      const auto rest = static_cast<__mmask16>((1 << (channels - whole)) - 1);
      alignas(16) std::uint8_t last[kSignTableChannels];
      _mm_store_si128(reinterpret_cast<__m128i*>(last), _mm_maskz_loadu_epi8(rest, codes + c));
      StoreInts(tables, SignTable(last, signs));
      tables += kSignTableBytes;
    }
  }
}

constexpr int kVecBytes = 64;
constexpr int kTableVecs = 256 / kVecBytes;

// 64 pixels of one channel as codes.
[[gnu::always_inline]] inline Vec LookUp(const Vec* table, Vec pixels) {
  const Vec low = _mm512_permutex2var_epi8(table[0], pixels, table[1]);
  const Vec high = _mm512_permutex2var_epi8(table[2], pixels, table[3]);
  return _mm512_mask_mov_epi8(low, _mm512_movepi8_mask(pixels), high);
}

// Where the 3 codes of each of 16 pixels are among those of 4 channels.
struct DenseOrder {
  constexpr DenseOrder() {
    for (int i = 0; i < 48; ++i) {
      bytes[i] = static_cast<std::uint8_t>(i / 3 * 4 + i % 3);
    }
  }
  alignas(64) std::uint8_t bytes[64] = {};
};
constexpr DenseOrder kDenseOrder;

// 16 pixels of 4 codes, or as many as are left.
template <int kPixelBytes>
[[gnu::always_inline]] inline void StorePixels(std::uint8_t* codes, Vec four, int left) {
  if constexpr (kPixelBytes == 3) {
    four = _mm512_permutexvar_epi8(Load(kDenseOrder.bytes), four);
  }
  const int bytes = left * kPixelBytes;
  if (bytes >= kVecBytes) {  // What is too much is overwritten by the next ones.
    StoreInts(codes, four);
  } else if (bytes > 0) {
    const int used = bytes < kPixelBytes * kLanes ? bytes : kPixelBytes * kLanes;
    _mm512_mask_storeu_epi8(codes, ~std::uint64_t{0} >> (kVecBytes - used), four);
  }
}

// Of 3 or 4 bytes: 64 pixels at once.
template <int kPixelBytes>
void ConvertNarrowPixels(const std::uint8_t* const* planes, const std::uint8_t* tables, int count,
                         std::uint8_t* codes) {
  Vec table[4 * kTableVecs];
  Unroll<4 * kTableVecs>([&](auto i) __attribute__((always_inline)) {
    table[i] = Load(tables + i * kVecBytes);
  });
  // Interleaving works on 128-bit quarters: with their pixels so, they come out in order.
  const Vec order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  for (int i = 0; i < count; i += kVecBytes, codes += kPixelBytes * kVecBytes) {
    const int left = count - i;
    const std::uint64_t mask =
        left >= kVecBytes ? ~std::uint64_t{0} : (std::uint64_t{1} << left) - 1;
    Vec channel[4];
    Unroll<4>([&](auto c) __attribute__((always_inline)) {
      const Vec pixels = _mm512_maskz_loadu_epi8(mask, planes[c] + i);
      channel[c] = LookUp(table + c * kTableVecs, _mm512_permutexvar_epi32(order, pixels));
    });
    const Vec low01 = _mm512_unpacklo_epi8(channel[0], channel[1]);
    const Vec high01 = _mm512_unpackhi_epi8(channel[0], channel[1]);
    const Vec low23 = _mm512_unpacklo_epi8(channel[2], channel[3]);
    const Vec high23 = _mm512_unpackhi_epi8(channel[2], channel[3]);
    const Vec four[] = {_mm512_unpacklo_epi16(low01, low23), _mm512_unpackhi_epi16(low01, low23),
                        _mm512_unpacklo_epi16(high01, high23),
                        _mm512_unpackhi_epi16(high01, high23)};
    Unroll<4>([&](auto v) __attribute__((always_inline)) {
      StorePixels<kPixelBytes>(codes + v * kLanes * kPixelBytes, four[v], left - v * kLanes);
    });
  }
}

}  // namespace

void widen_codes_avx512vnni(const std::uint8_t* codes, std::size_t count, std::int16_t* words) {
  WidenAll(codes, count, words);
}

void pack_planes_avx512vnni(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                            std::ptrdiff_t pixel_bytes, int num_planes, std::uint8_t* planes,
                            std::ptrdiff_t plane_bytes) {
  PackPlanes(codes, num_pixels, pixel_bytes, num_planes, planes, plane_bytes);
}

void build_parities_avx512vnni(const std::uint8_t* plane, std::ptrdiff_t count,
                               std::ptrdiff_t distance, std::uint8_t* parities) {
  BuildParities(plane, count, distance, parities);
}

void build_tables_avx512vnni(const std::uint8_t* codes, std::size_t count, std::uint8_t* tables) {
  BuildTables(codes, count, tables);
}

void build_sign_tables_avx512vnni(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                                  std::ptrdiff_t pixel_bytes, int channels, std::uint8_t* tables) {
  BuildSignTables(codes, num_pixels, pixel_bytes, channels, tables);
}

void sum_channels_avx512vnni(const std::uint8_t* codes, std::ptrdiff_t num_pixels,
                             std::ptrdiff_t pixel_bytes, int count, std::int32_t* sums) {
  SumChannels(codes, num_pixels, pixel_bytes, count, sums);
}

void sum_ahead_avx512vnni(std::int32_t* sums, std::ptrdiff_t count, std::ptrdiff_t distance,
                          int terms) {
  SumAhead(sums, count, distance, terms);
}

void sum_pixels_avx512vnni(const std::uint8_t* codes, int num_pixels, std::ptrdiff_t pixel_bytes,
                           int count, std::int32_t* sums) {
  SumPixels(codes, num_pixels, pixel_bytes, count, sums);
}

void max_windows_avx512vnni(const PoolWindows& windows, int channels, std::uint8_t* largest) {
  FindLargest(windows, channels, largest);
}

void rescale_codes_avx512vnni(const std::uint8_t* codes, int num_pixels, std::ptrdiff_t pixel_bytes,
                              const OutputArgs& output, std::uint8_t* rescaled) {
  RescalePixels(codes, num_pixels, pixel_bytes, output, rescaled);
}

void convert_pixels_avx512vnni(const std::uint8_t* const* planes, const std::uint8_t* tables,
                               int count, std::ptrdiff_t pixel_bytes, std::uint8_t* codes) {
  if (pixel_bytes == 4) {
    ConvertNarrowPixels<4>(planes, tables, count, codes);
  } else if (pixel_bytes == 3) {
    ConvertNarrowPixels<3>(planes, tables, count, codes);
  } else {
    ConvertPixels(planes, tables, count, pixel_bytes, codes);
  }
}

}  // namespace bitpilot
