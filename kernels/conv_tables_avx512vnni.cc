// Convolution by look-up with VBMI: the products of 16 channels and 16 inputs with weights of one
// bit in two instructions, exact for activations of up to 5 bits. Compiled with AVX-512 flags on
// top of the project's: use no inline function or template here but intrinsics and this file's own.
//
// 64 bytes hold, for each of four groups of 4 inputs, their sums with every combination of signs; a
// byte of weights chooses one. A dot product with ones adds up the four of a channel.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv.h"

namespace bitpilot {
namespace {

#include "kernels/vector_avx512.inc"

constexpr int kTilePixels = 8;
constexpr int kTileBlocks = 2;
constexpr int kSumStride = kTileBlocks * kBlockChannels;

#include "kernels/output_vector.inc"

// The table of pixel `kPixel % 4` behind `base`; distances: multiples 0 to 3 of a pixel's.
template <int kPixel>
[[gnu::always_inline]] inline Vec LoadTable(const std::uint8_t* base,
                                            const std::ptrdiff_t* distances) {
  Vec table;
  asm volatile("vmovdqu64 (%[base],%[index],%c[factor]), %0"
               : "=v"(table)
               : [base] "r"(base), [index] "r"(distances[kPixel % 4 == 2 ? 1 : kPixel % 4]),
                 [factor] "i"(kPixel % 4 == 2 ? 2 : 1));
  return table;
}

template <int kPixels, int kBlocks>
[[gnu::always_inline]] inline void TileStep(Vec* acc, const std::uint8_t* const* input,
                                            const std::ptrdiff_t* distances,
                                            const std::uint8_t* weights, std::ptrdiff_t block_bytes,
                                            Vec ones) {
  Vec choice[kBlocks];
  Unroll<kBlocks>([&](auto j) __attribute__((always_inline)) {
    choice[j] = Load(weights + j * block_bytes);
  });
  Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
    const Vec table = LoadTable<i>(input[i / 4], distances);
    Unroll<kBlocks>([&](auto j) __attribute__((always_inline)) {
      Vec chosen;
      asm volatile(
          "vpermb %[table], %[choice], %[chosen]\n\t"
          "vpdpbusd %[chosen], %[ones], %[acc]"
          : [acc] "+v"(acc[i * kBlocks + j]), [chosen] "=&v"(chosen)
          : [table] "v"(table), [choice] "v"(choice[j]), [ones] "v"(ones));
    });
  });
}

// sums: [kPixels, kSumStride], of kBlocks blocks.
template <int kPixels, int kBlocks>
void ConvTile(const ConvArgs& args, const std::uint8_t* window, const std::uint8_t* block,
              std::int32_t* sums) {
  constexpr int kInputs = (kPixels + 3) / 4;
  const std::ptrdiff_t distance = args.input_pixel_bytes;
  const std::ptrdiff_t distances[] = {0, distance, 2 * distance, 3 * distance};
  const std::ptrdiff_t block_bytes = args.weight_block_bytes;
  const Vec ones = BroadcastBytes(1);
  Vec acc[kPixels * kBlocks];
  Unroll<kPixels * kBlocks>([&](auto i) __attribute__((always_inline)) { acc[i] = Zero(); });
  for (int plane = 0; plane < args.weight_planes; ++plane) {
    const std::uint8_t* weights = block + plane * args.weight_plane_bytes;
    for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) {
      const std::uint8_t* input[kInputs];
      Unroll<kInputs>([&](auto i) __attribute__((always_inline)) {
        input[i] = window + run->offset + 4 * i * distance;
      });
      for (int left = run->num_steps; left > 0; --left, weights += kStepBytes) {
        TileStep<kPixels, kBlocks>(acc, input, distances, weights, block_bytes, ones);
        Unroll<kInputs>([&](auto i) __attribute__((always_inline)) {
          input[i] += kSignTableBytes;
          asm("" : "+r"(input[i]));
        });
      }
    }
  }
  // Two planes hold each weight twice.
  const __m128i halvings = _mm_cvtsi32_si128(args.weight_planes - 1);
  Unroll<kPixels * kBlocks>([&](auto i) __attribute__((always_inline)) {
    StoreInts(sums + i / kBlocks * kSumStride + i % kBlocks * kLanes,
              _mm512_sra_epi32(acc[i], halvings));
  });
}

using TileFn = void (*)(const ConvArgs& args, const std::uint8_t* window, const std::uint8_t* block,
                        std::int32_t* sums);

// kBlocks blocks from channel `first` on.
template <int kBlocks, int... kPixels>
void ConvBlocks(const ConvArgs& args, int row_begin, int row_end, int first,
                std::integer_sequence<int, kPixels...>) {
  static constexpr TileFn kTiles[] = {ConvTile<kPixels + 1, kBlocks>...};
  // A group of packed pixels may end behind the tile.
  alignas(64) std::int32_t sums[(kTilePixels + kPackPixels - 1) * kSumStride] = {};
  const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
  OutputCursor cursor(args.output, row_begin);
  for (int row = row_begin; row < row_end; ++row) {
    const std::uint8_t* window = args.input + row * args.input_row_bytes;
    int left = args.output.width;
    for (int tiles = (left + kTilePixels - 1) / kTilePixels; tiles > 0; --tiles) {
      const int count = (left + tiles - 1) / tiles;
      kTiles[count - 1](args, window, weights, sums);
      StoreTile(args.output, sums, count, kBlocks, first, cursor);
      cursor.Skip(count);
      window += count * args.input_pixel_bytes;
      left -= count;
    }
  }
}

}  // namespace

void conv_w2a5_tables_avx512vnni(const ConvArgs& args, int row_begin, int row_end) {
  constexpr auto kWidths = std::make_integer_sequence<int, kTilePixels>{};
  const int num_blocks = (args.output.channels + kBlockChannels - 1) / kBlockChannels;
  int block = 0;
  for (; block + kTileBlocks <= num_blocks; block += kTileBlocks) {
    ConvBlocks<kTileBlocks>(args, row_begin, row_end, block * kBlockChannels, kWidths);
  }
  if (block < num_blocks) {
    ConvBlocks<1>(args, row_begin, row_end, block * kBlockChannels, kWidths);
  }
}

}  // namespace bitpilot
