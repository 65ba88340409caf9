// Convolution over bit planes with VPOPCNTDQ: 512 products of a bit and a sign in three
// instructions, exact for all widths. Compiled with AVX-512 flags on top of the project's: use no
// inline function or template here but intrinsics and this file's own.
//
// A plane of weights holds -1, 0 or 1 for each input, as "is negative" and, unless none is 0, "is
// not 0". The bits of (input & not 0) ^ negative are the inputs where weights are 1 and the missing
// inputs where they are -1: as many more than the sum of products as there are negative weights,
// whose number lies with them (ConvOperand::kSignPlanes). Passes over the planes go from the
// highest power of two to the lowest; sums stay in registers and double in between.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_avx512.inc"

constexpr int kWidth1 = 16;  // Pixels of a tile with one block of channels,
constexpr int kWidth2 = 8;   // and with two.
constexpr int kSumStride = kBlockChannels;
constexpr int kPlaneStepBytes = 4;

#include "kernels/output/output_vector.inc"

#include "kernels/output/output_avx512.inc"

// 4 bytes of pixel `kPixel % 4` behind `base`: of the four pixels' distances from it, this is the
// register `index` times a factor.
template <int kPixel>
constexpr int kDistanceFactor = kPixel % 4 == 2 ? 2 : 1;

// sum += the set bits of the pixel's input ^ negative, in every lane. Assembly, because the
// compiler would gather products first and run out of registers, and would keep a pointer for each
// pixel.
template <int kPixel>
[[gnu::always_inline]] inline void CountSigns(Vec& sum, const std::uint8_t* base,
                                              std::ptrdiff_t index, Vec negative) {
  Vec bits;
  asm volatile(
      "vpxord (%[base],%[index],%c[factor])%{1to16%}, %[negative], %[bits]\n\t"
      "vpopcntd %[bits], %[bits]\n\t"
      "vpaddd %[bits], %[sum], %[sum]"
      : [sum] "+v"(sum), [bits] "=&v"(bits)
      : [base] "r"(base), [index] "r"(index), [factor] "i"(kDistanceFactor<kPixel>),
        [negative] "v"(negative));
}

// The same of (input & nonzero) ^ negative.
template <int kPixel>
[[gnu::always_inline]] inline void CountSigns(Vec& sum, const std::uint8_t* base,
                                              std::ptrdiff_t index, Vec negative, Vec nonzero) {
  constexpr int kAndXor = 0x6C;  // (a & c) ^ b
  Vec bits;
  asm volatile(
      "vpbroadcastd (%[base],%[index],%c[factor]), %[bits]\n\t"
      "vpternlogd %[function], %[nonzero], %[negative], %[bits]\n\t"
      "vpopcntd %[bits], %[bits]\n\t"
      "vpaddd %[bits], %[sum], %[sum]"
      : [sum] "+v"(sum), [bits] "=&v"(bits)
      : [base] "r"(base), [index] "r"(index), [factor] "i"(kDistanceFactor<kPixel>),
        [function] "i"(kAndXor), [negative] "v"(negative), [nonzero] "v"(nonzero));
}

// One step of kPixels pixels and kBlocks blocks. distances: multiples 0 to 3 of a pixel's.
template <int kPixels, int kBlocks, bool kMasks>
[[gnu::always_inline]] inline void TileStep(Vec* acc, const std::uint8_t* const* input,
                                            const std::ptrdiff_t* distances,
                                            const std::uint8_t* weights,
                                            std::ptrdiff_t block_bytes) {
  Vec negative[kBlocks];
  Vec nonzero[kBlocks];
  Unroll<kBlocks>([&](auto j) __attribute__((always_inline)) {
    negative[j] = Load(weights + j * block_bytes);
    if constexpr (kMasks) {
      nonzero[j] = Load(weights + j * block_bytes + kStepBytes);
    }
  });
  Unroll<kPixels>([&](auto i) __attribute__((always_inline)) {
    constexpr int kIndex = i % 4 == 2 ? 1 : i % 4;
    Unroll<kBlocks>([&](auto j) __attribute__((always_inline)) {
      if constexpr (kMasks) {
        CountSigns<i>(acc[i * kBlocks + j], input[i / 4], distances[kIndex], negative[j],
                      nonzero[j]);
      } else {
        CountSigns<i>(acc[i * kBlocks + j], input[i / 4], distances[kIndex], negative[j]);
      }
    });
  });
}

// One pass: a plane of the input, from the first pixel's window on, and a plane of weights.
template <int kPixels, int kBlocks, bool kMasks>
[[gnu::always_inline]] inline void TilePass(const ConvArgs& args, Vec* acc,
                                            const std::uint8_t* window,
                                            const std::uint8_t* weights) {
  constexpr int kInputs = (kPixels + 3) / 4;
  const std::ptrdiff_t distance = args.input_pixel_bytes;
  const std::ptrdiff_t distances[] = {0, distance, 2 * distance, 3 * distance};
  const std::ptrdiff_t block_bytes = args.weight_block_bytes;
  for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) {
    const std::uint8_t* input[kInputs];
    Unroll<kInputs>([&](auto i) __attribute__((always_inline)) {
      input[i] = window + run->offset + 4 * i * distance;
    });
    weights += kStepBytes;  // The number of negative ones.
    for (int left = run->num_steps; left > 0; --left) {
      TileStep<kPixels, kBlocks, kMasks>(acc, input, distances, weights, block_bytes);
      weights += (kMasks ? 2 : 1) * kStepBytes;
      Unroll<kInputs>([&](auto i) __attribute__((always_inline)) {
        input[i] += kPlaneStepBytes;
        asm("" : "+r"(input[i]));
      });
    }
  }
}

// A plane of the input with a plane of weights.
struct Pass {
  const std::uint8_t* weights;  // Null behind the last pass.
  std::ptrdiff_t input_offset;  // Bytes from the lowest plane.
  bool doubles;                 // The sums so far count twice, before this pass.
};
constexpr int kMaxPasses = 8 * 8;

// What the tiles of some channels have in common.
struct TileArgs {
  Pass passes[kMaxPasses + 1];
  Vec start[2];  // Of each block: what the sums begin at.
  TileOutput output;
};

// From the highest power of two to the lowest.
void PlanPasses(const ConvArgs& args, const std::uint8_t* weights, Pass* passes) {
  const int top_weight = args.weight_planes - 1;
  const int top_input = args.input_planes - 1;
  const Pass* const begin = passes;
  for (int power = top_weight + top_input; power >= 0; --power) {
    bool doubles = passes != begin;
    const int last = power < top_weight ? power : top_weight;
    for (int q = power > top_input ? power - top_input : 0; q <= last; ++q) {
      *passes++ = {weights + q * args.weight_plane_bytes, (power - q) * args.input_plane_bytes,
                   doubles};
      doubles = false;
    }
  }
  *passes = {};
}

// window: of the first pixel. codes, residual: see StoreTileCodes(). sums: null, or
// [kBlockChannels] for the sums of one pixel and block instead of codes.
template <int kPixels, int kBlocks, bool kMasks>
void ConvTile(const ConvArgs& args, const TileArgs& tile, const std::uint8_t* window,
              std::uint8_t* codes, const std::uint8_t* residual, std::int32_t* sums) {
  Vec acc[kPixels * kBlocks];
  Unroll<kPixels * kBlocks>([&](auto i) __attribute__((always_inline)) { acc[i] = Zero(); });
  for (const Pass* pass = tile.passes; pass->weights != nullptr; ++pass) {
    if (pass->doubles) {
      Unroll<kPixels * kBlocks>([&](auto i) __attribute__((always_inline)) {
        acc[i] = Add32(acc[i], acc[i]);
      });
    }
    TilePass<kPixels, kBlocks, kMasks>(args, acc, window + pass->input_offset, pass->weights);
  }
  Unroll<kPixels * kBlocks>([&](auto i) __attribute__((always_inline)) {
    acc[i] = Add32(acc[i], tile.start[i % kBlocks]);
  });
  if (kPixels * kBlocks == 1 && sums != nullptr) {
    StoreInts(sums, acc[0]);
  } else {
    StoreTileCodes<TileShape<1, kPixels, kBlocks>>(tile.output, acc, codes, residual);
  }
}

using TileFn = void (*)(const ConvArgs& args, const TileArgs& tile, const std::uint8_t* window,
                        std::uint8_t* codes, const std::uint8_t* residual, std::int32_t* sums);

// Minus the negative weights of a block, once for each value of the input's planes.
Vec CountedNegatives(const ConvArgs& args, const std::uint8_t* weights) {
  Vec count = Zero();
  for (int q = 0; q < args.weight_planes; ++q) {
    const std::uint8_t* plane = weights + q * args.weight_plane_bytes;
    for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) {
      count = Add32(count, Load(plane));
      plane += kStepBytes * (1 + run->num_steps * (args.masks_planes ? 2 : 1));
    }
  }
  return Sub32(count, _mm512_slli_epi32(count, static_cast<unsigned>(args.input_planes)));
}

// kBlocks blocks from channel `first` on, in tiles of nearly equal widths.
template <int kBlocks, bool kMasks, int... kPixels>
void ConvBlocks(const ConvArgs& args, int row_begin, int row_end, int first,
                std::integer_sequence<int, kPixels...>) {
  static constexpr TileFn kTiles[] = {ConvTile<kPixels + 1, kBlocks, kMasks>...};
  constexpr int kMax = sizeof...(kPixels);
  const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
  TileArgs tile;
  PlanPasses(args, weights, tile.passes);
  tile.output = MakeTileOutput(args.output, first);
  Unroll<kBlocks>([&](auto j) {
    tile.start[j] = Add32(CountedNegatives(args, weights + j * args.weight_block_bytes),
                          Load(args.output.correction + first + j * kBlockChannels));
  });
  for (int row = row_begin; row < row_end; ++row) {
    const std::uint8_t* window = args.input + row * args.input_row_bytes;
    std::uint8_t* codes = TileCodes(args.output, row, first);
    const std::uint8_t* residual = TileResidual(args.output, row, first);
    int left = args.output.width;
    for (int tiles = (left + kMax - 1) / kMax; tiles > 0; --tiles) {
      const int count = (left + tiles - 1) / tiles;
      kTiles[count - 1](args, tile, window, codes, residual, nullptr);
      window += count * args.input_pixel_bytes;
      codes += count * args.output.pixel_bytes;
      residual += count * args.output.residual_pixel_bytes;
      left -= count;
    }
  }
}

template <bool kMasks>
void ConvRows(const ConvArgs& args, int row_begin, int row_end) {
  const int num_blocks = (args.output.channels + kBlockChannels - 1) / kBlockChannels;
  int block = 0;
  for (; block + 2 <= num_blocks; block += 2) {
    ConvBlocks<2, kMasks>(args, row_begin, row_end, block * kBlockChannels,
                          std::make_integer_sequence<int, kWidth2>{});
  }
  if (block < num_blocks) {
    ConvBlocks<1, kMasks>(args, row_begin, row_end, block * kBlockChannels,
                          std::make_integer_sequence<int, kWidth1>{});
  }
}

// Pixel by pixel through sums in memory: for logits, and scales so large that a code could leave
// the range of an int32.
template <bool kMasks>
void ConvToSums(const ConvArgs& args, int row_begin, int row_end) {
  alignas(64) std::int32_t sums[kPackPixels * kSumStride] = {};
  for (int first = 0; first < args.output.channels; first += kBlockChannels) {
    const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
    TileArgs tile;
    PlanPasses(args, weights, tile.passes);
    tile.start[0] = CountedNegatives(args, weights);
    InputCursor input(args.input + row_begin * args.input_row_bytes, args.input_row_bytes,
                      args.input_pixel_bytes, args.output.width);
    OutputCursor cursor(args.output, row_begin);
    for (int left = (row_end - row_begin) * args.output.width; left > 0; --left) {
      ConvTile<1, 1, kMasks>(args, tile, input.Next(), nullptr, nullptr, sums);
      StoreTile(args.output, sums, 1, 1, first, cursor);
      cursor.Advance();
    }
  }
}

template <bool kMasks>
void Convolve(const ConvArgs& args, int row_begin, int row_end) {
  if (args.output.stays_in_int32 && args.output.logits == nullptr) {
    ConvRows<kMasks>(args, row_begin, row_end);
  } else {
    ConvToSums<kMasks>(args, row_begin, row_end);
  }
}

}  // namespace

void conv_w8a8_planes_avx512vnni(const ConvArgs& args, int row_begin, int row_end) {
  args.masks_planes ? Convolve<true>(args, row_begin, row_end)
                    : Convolve<false>(args, row_begin, row_end);
}

}  // namespace bitpilot
