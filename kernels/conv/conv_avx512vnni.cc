// AVX-512 VNNI convolution kernel: 512-bit dot products of bytes, exact for all widths. Compiled
// with AVX-512 flags on top of the project's: use no inline function or template here but
// intrinsics and this file's own.
//
// A tile is some pixels of one or two output rows times some blocks of 16 channels. Its
// accumulators start at the correction and become codes without leaving the registers. The pixels
// of a row lie apart by one distance, so few registers address them all. The first tiles of a pair
// of blocks fetch the weights behind, which would else come from memory no faster than half of what
// the products take. Most rows that consist of whole tiles are pipelined
// (kernels/conv/pipelined_tiles_avx512.inc).
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/conv/conv.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_avx512.inc"

constexpr int kMaxBlocks = 8;
constexpr int kSumStride = kMaxBlocks * kBlockChannels;

#include "kernels/output/output_vector.inc"

#include "kernels/output/output_avx512.inc"

// The widest tiles: accumulators, weights and one input fit 32 registers, and there are enough
// accumulators to hide the latency of the dot product.
constexpr int kWidth1 = 8;         // Pixels of a row with one block of channels,
constexpr int kSharedWidth1 = 16;  // the same where pixels share inputs,
constexpr int kWidth2 = 14;        // two blocks,
constexpr int kPairWidth = 7;      // two blocks and two rows.

#include "kernels/conv/conv_steps_avx512.inc"

// kSharesInputs: one row and one block, and runs as SharesInputs() wants them.
// ahead: bytes from the weights to those that are fetched meanwhile, a block of them; 0 for none.
// window: of the first pixel. codes, residual: see StoreTileCodes(). sums: null, or
// [kPixels, kSumStride] for the sums instead of codes.
template <class Shape, bool kSharesInputs>
void ConvTile(const ConvArgs& args, const TileOutput& output, const std::uint8_t* weights,
              std::ptrdiff_t ahead, const std::uint8_t* window, std::uint8_t* codes,
              const std::uint8_t* residual, std::int32_t* sums) {
  constexpr int kBlocks = Shape::kBlocks;
  constexpr int kRowInputs = (Shape::kWidth + 3) / 4;
  constexpr int kInputs = Shape::kRows * kRowInputs;
  Vec acc[Shape::kVecs];
  Unroll<Shape::kVecs>([&](auto i) __attribute__((always_inline)) {
    acc[i] = Load(output.start + i % kBlocks * kBlockChannels);
  });
  const std::ptrdiff_t distance = args.input_pixel_bytes;
  const std::ptrdiff_t block_bytes = args.weight_block_bytes;
  for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) {
    if constexpr (kSharesInputs) {
      weights = TapsRun<Shape>(acc, window + run->offset, distance, run->num_steps, weights);
      continue;
    }
    const std::uint8_t* input[kInputs];
    Unroll<kInputs>([&](auto i) __attribute__((always_inline)) {
      input[i] = window + run->offset + i / kRowInputs * args.input_row_bytes +
                 4 * (i % kRowInputs) * distance;
    });
    weights = RunSteps<Shape>(acc, input, distance, run->num_steps, weights, block_bytes, ahead);
  }
  if (sums == nullptr) {
    StoreTileCodes<Shape>(output, acc, codes, residual);
  } else {
    Unroll<Shape::kVecs>([&](auto i) __attribute__((always_inline)) {
      StoreInts(sums + i / kBlocks * kSumStride + i % kBlocks * kBlockChannels, acc[i]);
    });
  }
}

using TileFn = void (*)(const ConvArgs& args, const TileOutput& output, const std::uint8_t* weights,
                        std::ptrdiff_t ahead, const std::uint8_t* window, std::uint8_t* codes,
                        const std::uint8_t* residual, std::int32_t* sums);

// Narrower tiles have products enough for their weights alone to be loaded in time.
constexpr int kLeastSharedWidth = kWidth1 + 1;

// Whether every run is kTaps filter columns of a convolution with a stride of 1.
bool SharesInputs(const ConvArgs& args) {
  for (const DepthRun* run = args.runs; run->num_steps != 0; ++run) {
    if (4 * run->num_steps != kTaps * args.input_pixel_bytes) return false;
  }
  return true;
}

template <int kRows, int kWidth, int kBlocks, bool kSharesInputs>
constexpr TileFn ConvRowTile =
    ConvTile<TileShape<kRows, kWidth, kBlocks>, kSharesInputs && (kWidth >= kLeastSharedWidth)>;

// Which weights the tiles of some blocks fetch while they compute: each one of the blocks behind,
// of this layer or of what a run computes next.
class WeightsAhead {
 public:
  WeightsAhead(int num_blocks, std::ptrdiff_t block_bytes)
      : block_bytes_(block_bytes),
        offset_(num_blocks * block_bytes),
        end_(2 * num_blocks * block_bytes) {}

  // Of the next tile.
  std::ptrdiff_t Next() {
    if (offset_ == end_) return 0;
    const std::ptrdiff_t offset = offset_;
    offset_ += block_bytes_;
    return offset;
  }

 private:
  std::ptrdiff_t block_bytes_;
  std::ptrdiff_t offset_;
  std::ptrdiff_t end_;
};

// kRows rows in tiles of nearly equal widths; the pointers are those of the first.
template <int kRows, int kBlocks, bool kSharesInputs, int... kWidth>
void ConvRow(const ConvArgs& args, const TileOutput& output, const std::uint8_t* weights,
             WeightsAhead& ahead, int width, const std::uint8_t* window, std::uint8_t* codes,
             const std::uint8_t* residual, std::integer_sequence<int, kWidth...>) {
  static constexpr TileFn kTiles[] = {ConvRowTile<kRows, kWidth + 1, kBlocks, kSharesInputs>...};
  constexpr int kMax = sizeof...(kWidth);
  for (int num_tiles = (width + kMax - 1) / kMax; num_tiles > 0; --num_tiles) {
    const int tile_width = (width + num_tiles - 1) / num_tiles;
    kTiles[tile_width - 1](args, output, weights, ahead.Next(), window, codes, residual, nullptr);
    width -= tile_width;
    window += tile_width * args.input_pixel_bytes;
    codes += tile_width * output.pixel_bytes;
    residual += tile_width * output.residual_pixel_bytes;
  }
}

// Rows [row_begin, row_end), as kernels walk them.
struct Rows {
  int begin;
  int count;
  int width;
};

// One long row where nothing lies between the rows.
Rows MakeRows(const ConvArgs& args, int row_begin, int row_end) {
  const OutputArgs& output = args.output;
  const int count = row_end - row_begin;
  if (args.input_row_bytes == output.width * args.input_pixel_bytes &&
      output.row_bytes == output.width * output.pixel_bytes &&
      output.residual_row_bytes == output.width * output.residual_pixel_bytes) {
    return {row_begin, 1, count * output.width};
  }
  return {row_begin, count, output.width};
}

#include "kernels/conv/pipelined_tiles_avx512.inc"

// kBlocks blocks from channel `first` on.
template <int kBlocks>
void ConvBlocks(const ConvArgs& args, const Rows& rows, int first) {
  const TileOutput output = MakeTileOutput(args.output, first);
  const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
  const std::uint8_t* window = args.input + rows.begin * args.input_row_bytes;
  std::uint8_t* codes = TileCodes(args.output, rows.begin, first);
  const std::uint8_t* residual = TileResidual(args.output, rows.begin, first);
  WeightsAhead ahead(kBlocks, args.weight_block_bytes);
  const bool shares_inputs = kBlocks == 1 && SharesInputs(args);
  if (!shares_inputs) {
    if (const RowsFn pipelined = PipelinedFn<kBlocks>(args, rows, output.channels)) {
      pipelined(args, output, weights, ahead, rows, window, codes, residual);
      return;
    }
  }
  for (int left = rows.count; left > 0;) {
    int done = 1;
    if constexpr (kBlocks == 1) {
      constexpr auto kWidths = std::make_integer_sequence<int, kWidth1>{};
      constexpr auto kSharedWidths = std::make_integer_sequence<int, kSharedWidth1>{};
      shares_inputs ? ConvRow<1, 1, true>(args, output, weights, ahead, rows.width, window, codes,
                                          residual, kSharedWidths)
                    : ConvRow<1, 1, false>(args, output, weights, ahead, rows.width, window, codes,
                                           residual, kWidths);
    } else if (rows.width <= kPairWidth && left >= 2) {
      ConvRow<2, 2, false>(args, output, weights, ahead, rows.width, window, codes, residual,
                           std::make_integer_sequence<int, kPairWidth>{});
      done = 2;
    } else {
      ConvRow<1, 2, false>(args, output, weights, ahead, rows.width, window, codes, residual,
                           std::make_integer_sequence<int, kWidth2>{});
    }
    left -= done;
    window += done * args.input_row_bytes;
    codes += done * output.row_bytes;
    residual += done * output.residual_row_bytes;
  }
}

void ConvToCodes(const ConvArgs& args, int row_begin, int row_end) {
  const Rows rows = MakeRows(args, row_begin, row_end);
  const int num_blocks = (args.output.channels + kBlockChannels - 1) / kBlockChannels;
  int block = 0;
  for (; block + 2 <= num_blocks; block += 2) {
    ConvBlocks<2>(args, rows, block * kBlockChannels);
  }
  if (block < num_blocks) {
    ConvBlocks<1>(args, rows, block * kBlockChannels);
  }
}

// Pixel by pixel through sums in memory: for logits, and scales so large that a code could leave
// the range of an int32.
template <int kBlocks>
void ConvToSums(const ConvArgs& args, int first, int row_begin, int row_end) {
  static constexpr std::int32_t kZeros[kMaxBlocks * kBlockChannels] = {};
  alignas(64) std::int32_t sums[kPackPixels * kSumStride] = {};
  InputCursor input(args.input + row_begin * args.input_row_bytes, args.input_row_bytes,
                    args.input_pixel_bytes, args.output.width);
  OutputCursor cursor(args.output, row_begin);
  TileOutput output = {};
  output.start = kZeros;
  const std::uint8_t* weights = args.weights + first / kBlockChannels * args.weight_block_bytes;
  for (int left = (row_end - row_begin) * args.output.width; left > 0; --left) {
    ConvTile<TileShape<1, 1, kBlocks>, false>(args, output, weights, /*ahead=*/0, input.Next(),
                                              nullptr, nullptr, sums);
    StoreTile(args.output, sums, 1, kBlocks, first, cursor);
    cursor.Advance();
  }
}

void ConvToSums(const ConvArgs& args, int row_begin, int row_end) {
  const int num_blocks = (args.output.channels + kBlockChannels - 1) / kBlockChannels;
  int block = 0;
  for (; block + kMaxBlocks <= num_blocks; block += kMaxBlocks) {
    ConvToSums<kMaxBlocks>(args, block * kBlockChannels, row_begin, row_end);
  }
  for (; block < num_blocks; ++block) {
    ConvToSums<1>(args, block * kBlockChannels, row_begin, row_end);
  }
}

}  // namespace

void conv_w8a8_i32_avx512vnni(const ConvArgs& args, int row_begin, int row_end) {
  if (args.output.stays_in_int32 && args.output.logits == nullptr) {
    ConvToCodes(args, row_begin, row_end);
  } else {
    ConvToSums(args, row_begin, row_end);
  }
}

}  // namespace bitpilot
