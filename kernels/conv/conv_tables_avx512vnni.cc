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

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_avx512.inc"

constexpr int kWidth = 8;  // Pixels of a tile.
constexpr int kSumStride = kBlockChannels;

#include "kernels/output/output_vector.inc"

#include "kernels/output/output_avx512.inc"

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

[[gnu::always_inline]] inline void AddChosen(Vec& acc, Vec table, Vec choice, Vec ones) {
  Vec chosen;
  asm volatile(
      "vpermb %[table], %[choice], %[chosen]\n\t"
      "vpdpbusd %[chosen], %[ones], %[acc]"
      : [acc] "+v"(acc), [chosen] "=&v"(chosen)
      : [table] "v"(table), [choice] "v"(choice), [ones] "v"(ones));
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
      AddChosen(acc[i * kBlocks + j], table, choice[j], ones);
    });
  });
}

// window: of the first pixel. codes, residual: see StoreTileCodes(). sums: null, or
// [kBlockChannels] for the sums of one pixel and block instead of codes.
template <int kPixels, int kBlocks>
void ConvTile(const ConvArgs& args, const TileOutput& output, const std::uint8_t* block,
              const std::uint8_t* window, std::uint8_t* codes, const std::uint8_t* residual,
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
    acc[i] = Add32(_mm512_sra_epi32(acc[i], halvings),
                   Load(output.start + i % kBlocks * kBlockChannels));
  });
  if (kPixels * kBlocks == 1 && sums != nullptr) {
    StoreInts(sums, acc[0]);
  } else {
    StoreTileCodes<TileShape<1, kPixels, kBlocks>>(output, acc, codes, residual);
  }
}

using TileFn = void (*)(const ConvArgs& args, const TileOutput& output, const std::uint8_t* block,
                        const std::uint8_t* window, std::uint8_t* codes,
                        const std::uint8_t* residual, std::int32_t* sums);

// kBlocks blocks from channel `first` on, in tiles of nearly equal widths.
template <int kBlocks, int... kPixels>
void ConvBlocks(const ConvArgs& args, int row_begin, int row_end, int first,
                std::integer_sequence<int, kPixels...>) {
  static constexpr TileFn kTiles[] = {ConvTile<kPixels + 1, kBlocks>...};
  constexpr int kMax = sizeof...(kPixels);
  const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
  const TileOutput output = MakeTileOutput(args.output, first);
  for (int row = row_begin; row < row_end; ++row) {
    const std::uint8_t* window = args.input + row * args.input_row_bytes;
    std::uint8_t* codes = TileCodes(args.output, row, first);
    const std::uint8_t* residual = TileResidual(args.output, row, first);
    int left = args.output.width;
    for (int tiles = (left + kMax - 1) / kMax; tiles > 0; --tiles) {
      const int count = (left + tiles - 1) / tiles;
      kTiles[count - 1](args, output, weights, window, codes, residual, nullptr);
      window += count * args.input_pixel_bytes;
      codes += count * args.output.pixel_bytes;
      residual += count * args.output.residual_pixel_bytes;
      left -= count;
    }
  }
}

void ConvRows(const ConvArgs& args, int row_begin, int row_end) {
  constexpr auto kWidths = std::make_integer_sequence<int, kWidth>{};
  const int num_blocks = (args.output.channels + kBlockChannels - 1) / kBlockChannels;
  int block = 0;
  for (; block + 2 <= num_blocks; block += 2) {
    ConvBlocks<2>(args, row_begin, row_end, block * kBlockChannels, kWidths);
  }
  if (block < num_blocks) {
    ConvBlocks<1>(args, row_begin, row_end, block * kBlockChannels, kWidths);
  }
}

// Pixel by pixel through sums in memory: for logits, and scales so large that a code could leave
// the range of an int32.
void ConvToSums(const ConvArgs& args, int row_begin, int row_end) {
  static constexpr std::int32_t kZeros[kBlockChannels] = {};
  alignas(64) std::int32_t sums[kPackPixels * kSumStride] = {};
  TileOutput output = {};
  output.start = kZeros;
  for (int first = 0; first < args.output.channels; first += kBlockChannels) {
    const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
    InputCursor input(args.input + row_begin * args.input_row_bytes, args.input_row_bytes,
                      args.input_pixel_bytes, args.output.width);
    OutputCursor cursor(args.output, row_begin);
    for (int left = (row_end - row_begin) * args.output.width; left > 0; --left) {
      ConvTile<1, 1>(args, output, weights, input.Next(), nullptr, nullptr, sums);
      StoreTile(args.output, sums, 1, 1, first, cursor);
      cursor.Advance();
    }
  }
}

}  // namespace

void conv_w2a5_tables_avx512vnni(const ConvArgs& args, int row_begin, int row_end) {
  if (args.output.stays_in_int32 && args.output.logits == nullptr) {
    ConvRows(args, row_begin, row_end);
  } else {
    ConvToSums(args, row_begin, row_end);
  }
}

}  // namespace bitpilot
