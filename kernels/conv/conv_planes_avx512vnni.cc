// Convolution over bit planes with VPOPCNTDQ and BITALG: three times 512 products of a bit and a
// sign in eight instructions, exact for all widths. Compiled with AVX-512 flags on top of the
// project's: use no inline function or template here but intrinsics and this file's own.
//
// A plane of weights holds -1, 0 or 1 for each input, as "is negative" and, unless none is 0, "is
// not 0". The bits of (input & not 0) ^ negative are the inputs where weights are 1 and the missing
// inputs where they are -1: as many more than the sum of products as there are negative weights,
// whose number lies with them (format_planes.cc). Passes over the planes go from the
// highest power of two to the lowest; sums stay in registers and double in between. Without "not
// 0", words go three by three: the count of three bits is their parity and twice their majority
// (kernels/conv/count_signs_avx512.inc).
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
constexpr int kPlaneStepBytes = 4;

#include "kernels/output/output_vector.inc"

#include "kernels/output/output_avx512.inc"

#include "kernels/output/threshold_codes_avx512.inc"

#include "kernels/conv/count_signs_avx512.inc"

#include "kernels/conv/plane_steps_avx512.inc"

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
  Vec begin[2];  // Of each block: what the sums begin at, `start` where one pass is all,
  Vec start[2];  // and what is added behind several, because they double in between.
  TileOutput output;
  TileThresholds thresholds;
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

// The sums of a tile. window: of its first pixel.
template <int kPixels, int kBlocks>
[[gnu::always_inline]] inline void AddUpTile(const ConvArgs& args, const TileArgs& tile,
                                             const std::uint8_t* window, Vec* acc) {
  Unroll<kPixels * kBlocks>([&](auto i) __attribute__((always_inline)) {
    acc[i] = tile.begin[i % kBlocks];
  });
  const ConvArgs* in_memory = &args;
  for (const Pass* pass = tile.passes; pass->weights != nullptr; ++pass) {
    StayInMemory(in_memory);
    if (pass->doubles) {
      Unroll<kPixels * kBlocks>([&](auto i) __attribute__((always_inline)) {
        acc[i] = Add32(acc[i], acc[i]);
      });
    }
    TilePass<kPixels, kBlocks>(*in_memory, acc, window + pass->input_offset, pass->weights);
  }
  if (tile.passes[1].weights != nullptr) {
    Unroll<kPixels * kBlocks>([&](auto i) __attribute__((always_inline)) {
      acc[i] = Add32(acc[i], tile.start[i % kBlocks]);
    });
  }
}

// One column of tiles, as high as num_rows. window: of the first pixel. codes, residual: see
// StoreTileCodes().
template <int kPixels, int kBlocks>
void ConvTiles(const ConvArgs& args, const TileArgs& tile, const std::uint8_t* window,
               std::uint8_t* codes, const std::uint8_t* residual, int num_rows) {
  using Shape = TileShape<1, kPixels, kBlocks>;
  const ConvArgs* in_memory = &args;
  for (; num_rows > 0; --num_rows) {
    Vec acc[kPixels * kBlocks];
    AddUpTile<kPixels, kBlocks>(*in_memory, tile, window, acc);
    const PackedSums<Shape> packed = {acc};
    StoreTileCodes<Shape>(tile.output, acc, codes, residual,
                          ThresholdCodes<PackedSums<Shape>>(tile.thresholds, packed));
    StayInMemory(in_memory);
    window += in_memory->input_row_bytes;
    codes += tile.output.row_bytes;
    residual += tile.output.residual_row_bytes;
  }
}

using TilesFn = void (*)(const ConvArgs& args, const TileArgs& tile, const std::uint8_t* window,
                         std::uint8_t* codes, const std::uint8_t* residual, int num_rows);

// The sums of one block of one pixel.
void ConvTileToSums(const ConvArgs& args, const TileArgs& tile, const std::uint8_t* window,
                    std::int32_t* sums) {
  Vec acc[1];
  AddUpTile<1, 1>(args, tile, window, acc);
  StoreInts(sums, acc[0]);
}

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

// Magnitude of a sum, at most.
std::int64_t LargestPlaneSum(const ConvArgs& args) {
  const int step_bits = 8 * (args.pairs_pixels ? 2 : kPlaneStepBytes);
  std::int64_t num_steps = 0;
  for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) num_steps += run->num_steps;
  return num_steps * step_bits * ((1 << args.input_planes) - 1) * ((1 << args.weight_planes) - 1);
}

template <int kBlocks>
void SetBegin(TileArgs* tile) {
  const bool one_pass = tile->passes[1].weights == nullptr;
  Unroll<kBlocks>([&](auto j) { tile->begin[j] = one_pass ? tile->start[j] : Zero(); });
}

// For codes of kBlocks blocks from channel `first` on.
template <int kBlocks>
TileArgs MakeTileArgs(const ConvArgs& args, int first) {
  const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
  TileArgs tile;
  PlanPasses(args, weights, tile.passes);
  tile.output = MakeTileOutput(args.output, first);
  Unroll<kBlocks>([&](auto j) {
    tile.start[j] = Add32(CountedNegatives(args, weights + j * args.weight_block_bytes),
                          Load(args.output.correction + first + j * kBlockChannels));
  });
  constexpr std::int64_t kLargestCompared = 16'383;
  const std::int64_t largest = LargestPlaneSum(args);
  tile.thresholds.count = 0;
  if (args.output.num_thresholds > 0 && largest <= kLargestCompared) {
    StartThresholds<kBlocks>(args.output, first, static_cast<std::int32_t>(largest),
                             args.pairs_pixels, tile.start, &tile.thresholds);
  }
  if (args.pairs_pixels) tile.start[0] = TwiceInLanes(tile.start[0]);  // Modulo 2^16, as the sums.
  SetBegin<kBlocks>(&tile);
  return tile;
}

// kBlocks blocks from channel `first` on, in columns of tiles of nearly equal widths.
template <int kBlocks, int... kPixels>
void ConvBlocks(const ConvArgs& args, int row_begin, int row_end, int first,
                std::integer_sequence<int, kPixels...>) {
  static constexpr TilesFn kTiles[] = {ConvTiles<kPixels + 1, kBlocks>...};
  constexpr int kMax = sizeof...(kPixels);
  const TileArgs tile = MakeTileArgs<kBlocks>(args, first);
  const std::uint8_t* window = args.input + row_begin * args.input_row_bytes;
  std::uint8_t* codes = TileCodes(args.output, row_begin, first);
  const std::uint8_t* residual = TileResidual(args.output, row_begin, first);
  int left = args.output.width;
  for (int tiles = (left + kMax - 1) / kMax; tiles > 0; --tiles) {
    const int count = (left + tiles - 1) / tiles;
    kTiles[count - 1](args, tile, window, codes, residual, row_end - row_begin);
    window += count * args.input_pixel_bytes;
    codes += count * args.output.pixel_bytes;
    residual += count * args.output.residual_pixel_bytes;
    left -= count;
  }
}

void ConvRows(const ConvArgs& args, int row_begin, int row_end) {
  const int num_blocks = (args.output.channels + kBlockChannels - 1) / kBlockChannels;
  int block = 0;
  for (; block + 2 <= num_blocks; block += 2) {
    ConvBlocks<2>(args, row_begin, row_end, block * kBlockChannels,
                  std::make_integer_sequence<int, kWidth>{});
  }
  if (block < num_blocks) {
    ConvBlocks<1>(args, row_begin, row_end, block * kBlockChannels,
                  std::make_integer_sequence<int, kWidth>{});
  }
}

#include "kernels/conv/plane_pairs_avx512.inc"

// Pixel by pixel through sums in memory: for logits, and scales so large that a code could leave
// the range of an int32.
void ConvToSums(const ConvArgs& args, int row_begin, int row_end) {
  alignas(64) std::int32_t sums[kPackPixels * kSumStride] = {};
  for (int first = 0; first < args.output.channels; first += kBlockChannels) {
    const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
    TileArgs tile;
    PlanPasses(args, weights, tile.passes);
    tile.start[0] = CountedNegatives(args, weights);
    SetBegin<1>(&tile);
    InputCursor input(args.input + row_begin * args.input_row_bytes, args.input_row_bytes,
                      args.input_pixel_bytes, args.output.width);
    OutputCursor cursor(args.output, row_begin);
    for (int left = (row_end - row_begin) * args.output.width; left > 0; --left) {
      if (args.pairs_pixels) {
        AddUpPixel(args, tile, input.Next(), sums);
      } else {
        ConvTileToSums(args, tile, input.Next(), sums);
      }
      StoreTile(args.output, sums, 1, 1, first, cursor);
      cursor.Advance();
    }
  }
}

}  // namespace

void conv_w8a8_planes_avx512vnni(const ConvArgs& args, int row_begin, int row_end) {
  const bool tiles = args.output.stays_in_int32 && args.output.logits == nullptr;
  if (tiles && !args.pairs_pixels) {
    ConvRows(args, row_begin, row_end);
  } else if (tiles && SuitsPairTiles(args)) {
    PairRows(args, row_begin, row_end, std::make_integer_sequence<int, kMaxPairs>{});
  } else {
    ConvToSums(args, row_begin, row_end);
  }
}

}  // namespace bitpilot
