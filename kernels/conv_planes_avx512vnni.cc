// Convolution over bit planes with VPOPCNTDQ: 512 one-bit products an instruction, exact for all
// widths. Compiled with AVX-512 flags on top of the project's: use no inline function or template
// here but intrinsics and this file's own.
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
constexpr int kPlaneStepBytes = 4;
// Pixels whose windows are counted once for all blocks of channels.
constexpr int kChunkPixels = 64;

#include "kernels/output_vector.inc"

// sums[pixel][channel] += factor * bits that one plane of the pixel's window shares with one of the
// weights. `plane`: bytes from a window's first plane to this one.
template <int kPixels, int kBlocks>
void ConvTile(const DepthRun* runs, const std::uint8_t* const* pixels, std::ptrdiff_t plane,
              const std::uint8_t* weights, std::ptrdiff_t block_bytes, std::int32_t factor,
              std::int32_t* sums) {
  Vec acc[kPixels * kBlocks];
  Unroll<kPixels * kBlocks>([&](auto i) __attribute__((always_inline)) { acc[i] = Zero(); });
  const std::uint8_t* input[kPixels];
  Unroll<kPixels>([&](auto i) __attribute__((always_inline)) { input[i] = pixels[i]; });
  for (const DepthRun* run = runs; run->num_steps != 0; ++run) {
    std::ptrdiff_t offset = plane + run->offset;
    const std::ptrdiff_t end = offset + kPlaneStepBytes * run->num_steps;
    for (; offset != end; offset += kPlaneStepBytes, weights += kStepBytes) {
      Vec w[kBlocks];
      Unroll<kBlocks>([&](auto j) __attribute__((always_inline)) {
        w[j] = Load(weights + j * block_bytes);
      });
      Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
        const Vec x = BroadcastInput<0>(input[i], offset);
        Unroll<kBlocks>([&](auto j) __attribute__((always_inline)) {
          Vec& sum = acc[i * kBlocks + j];
          Vec common;
          // Assembly, because the compiler would gather products first and run out of registers.
          asm("vpandd %[weights], %[input], %[common]\n\t"
              "vpopcntd %[common], %[common]\n\t"
              "vpaddd %[common], %[sum], %[sum]"
              : [sum] "+v"(sum), [common] "=&v"(common)
              : [input] "v"(x), [weights] "v"(w[j]));
        });
      });
    }
  }
  const Vec factors = _mm512_set1_epi32(factor);
  Unroll<kPixels * kBlocks>([&](auto i) __attribute__((always_inline)) {
    std::int32_t* sum = sums + i / kBlocks * kSumStride + i % kBlocks * kLanes;
    StoreInts(sum, Add32(Load(sum), _mm512_mullo_epi32(acc[i], factors)));
  });
}

using TileFn = void (*)(const DepthRun* runs, const std::uint8_t* const* pixels,
                        std::ptrdiff_t plane, const std::uint8_t* weights,
                        std::ptrdiff_t block_bytes, std::int32_t factor, std::int32_t* sums);

// Minus the sum of each window's codes where weights have one plane, whose set bits are 1 and
// others -1; 0 otherwise. The mask of the window's elements is one more plane of weights, the same
// in every lane that is used.
//
// sums: [num_pixels, kSumStride], of which the first block is written.
template <int... kPixels>
void SumsBefore(const ConvArgs& args, const std::uint8_t* const* pixels, int num_pixels,
                std::int32_t* sums, std::integer_sequence<int, kPixels...>) {
  static constexpr TileFn kTiles[] = {ConvTile<kPixels + 1, 1>...};
  for (int i = 0; i < num_pixels; ++i) {
    StoreInts(sums + i * kSumStride, Zero());
  }
  for (int r = 0; args.weight_planes == 1 && r < args.input_planes; ++r) {
    for (int begin = 0; begin < num_pixels; begin += kTilePixels) {
      const int count = num_pixels - begin < kTilePixels ? num_pixels - begin : kTilePixels;
      kTiles[count - 1](args.runs, pixels + begin, r * args.input_plane_bytes,
                        args.weights + args.weight_plane_bytes, 0, -(1 << r),
                        sums + begin * kSumStride);
    }
  }
}

// `num_pixels` pixels, kBlocks blocks from channel `first` on.
template <int kBlocks, int... kPixels>
void ConvChunk(const ConvArgs& args, int first, const std::uint8_t* const* pixels,
               const std::int32_t* sums_before, int num_pixels, OutputCursor cursor,
               std::integer_sequence<int, kPixels...>) {
  static constexpr TileFn kTiles[] = {ConvTile<kPixels + 1, kBlocks>...};
  // A group of packed pixels may end behind the tile.
  alignas(64) std::int32_t sums[(kTilePixels + kPackPixels - 1) * kSumStride] = {};
  const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
  const int top = args.weight_planes - 1;
  for (int begin = 0; begin < num_pixels; begin += kTilePixels) {
    const int count = num_pixels - begin < kTilePixels ? num_pixels - begin : kTilePixels;
    for (int i = 0; i < count; ++i) {
      for (int j = 0; j < kBlocks; ++j) {
        StoreInts(sums + i * kSumStride + j * kLanes, Load(sums_before + (begin + i) * kSumStride));
      }
    }
    for (int q = 0; q <= top; ++q) {
      for (int r = 0; r < args.input_planes; ++r) {
        // Two's complement: the top plane counts negative.
        const std::int32_t factor = top == 0 ? 2 << r : q == top ? -(1 << (q + r)) : 1 << (q + r);
        kTiles[count - 1](args.runs, pixels + begin, r * args.input_plane_bytes,
                          weights + q * args.weight_plane_bytes, args.weight_block_bytes, factor,
                          sums);
      }
    }
    StoreTile(args.output, sums, count, kBlocks, first, cursor);
    for (int i = 0; i < count; ++i) {
      cursor.Advance();
    }
  }
}

}  // namespace

void conv_w8a8_planes_avx512vnni(const ConvArgs& args, int row_begin, int row_end) {
  constexpr auto kTileSizes = std::make_integer_sequence<int, kTilePixels>{};
  const int num_blocks = (args.output.channels + kBlockChannels - 1) / kBlockChannels;
  InputCursor input(args.input + row_begin * args.input_row_bytes, args.input_row_bytes,
                    args.input_pixel_bytes, args.output.width);
  OutputCursor cursor(args.output, row_begin);
  for (int left = (row_end - row_begin) * args.output.width; left > 0; left -= kChunkPixels) {
    const int count = left < kChunkPixels ? left : kChunkPixels;
    const std::uint8_t* pixels[kChunkPixels];
    alignas(64) std::int32_t sums_before[kChunkPixels * kSumStride];
    for (int i = 0; i < count; ++i) {
      pixels[i] = input.Next();
    }
    SumsBefore(args, pixels, count, sums_before, kTileSizes);
    int block = 0;
    for (; block + kTileBlocks <= num_blocks; block += kTileBlocks) {
      ConvChunk<kTileBlocks>(args, block * kBlockChannels, pixels, sums_before, count, cursor,
                             kTileSizes);
    }
    for (; block < num_blocks; ++block) {
      ConvChunk<1>(args, block * kBlockChannels, pixels, sums_before, count, cursor, kTileSizes);
    }
    for (int i = 0; i < count; ++i) {
      cursor.Advance();
    }
  }
}

}  // namespace bitpilot
