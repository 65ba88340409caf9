// AVX-512 VNNI depthwise kernel: dot products of a filter's columns, exact for all widths. Compiled
// with AVX-512 flags on top of the project's: use no inline function or template here but
// intrinsics and this file's own.
//
// 64 channels at once. Interleaving the bytes of up to four rows gives every channel its column in
// one lane of 32 bits; packing to bytes brings the channels back into their order.
#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/depthwise/depthwise.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_avx512.inc"

constexpr int kLaneChannels = 64;
constexpr int kLaneVecs = kLaneChannels / kLanes;
constexpr int kVecBytes = 64;
constexpr int kSumStride = kLaneChannels;
// Pixels of a band of rows at least, so that 64 channels' constants are worth loading.
constexpr int kBandPixels = 64;

#include "kernels/output/output_vector.inc"

#include "kernels/output/output_avx512.inc"

// True for channels of which several pixels fill the lanes: so few are packed again and again.
constexpr bool RepeatsInLanes(int channels) {
  return channels == 8 || channels == 16 || channels == 32;
}

#include "kernels/depthwise/depthwise_rows_avx512.inc"

// `count` values of 32 bits, of whole blocks of 16, in lanes; the first ones again where fewer than
// 64 fill them several times.
inline void LoadLanes(const void* values, int count, Vec* lanes) {
  const auto* block = static_cast<const std::int32_t*>(values);
  Vec natural[kLaneVecs];
  Unroll<kLaneVecs>([&](auto i) __attribute__((always_inline)) {
    const int first = RepeatsInLanes(count) ? i * kLanes % count : i * kLanes;
    natural[i] = first < count ? Load(block + first) : Zero();
  });
  if (count == 8) {
    natural[0] = _mm512_broadcast_i64x4(_mm512_castsi512_si256(natural[0]));
    natural[1] = natural[2] = natural[3] = natural[0];
  }
  // Transposes quarters.
  const Vec a = _mm512_shuffle_i32x4(natural[0], natural[1], 0x44);
  const Vec b = _mm512_shuffle_i32x4(natural[2], natural[3], 0x44);
  const Vec c = _mm512_shuffle_i32x4(natural[0], natural[1], 0xEE);
  const Vec d = _mm512_shuffle_i32x4(natural[2], natural[3], 0xEE);
  lanes[0] = _mm512_shuffle_i32x4(a, b, 0x88);
  lanes[1] = _mm512_shuffle_i32x4(a, b, 0xDD);
  lanes[2] = _mm512_shuffle_i32x4(c, d, 0x88);
  lanes[3] = _mm512_shuffle_i32x4(c, d, 0xDD);
}

// Sums of one pixel of any filter.
[[gnu::always_inline]] inline void SumPixel(const DepthwiseArgs& args, const std::uint8_t* input,
                                            const std::uint8_t* weights, Vec* acc) {
  for (int x = 0; x < args.filter_w; ++x) {
    for (int y = 0; y < args.filter_h; y += 4, weights += kLaneVecs * kVecBytes) {
      const std::uint8_t* rows = input + x * args.column_bytes + y * args.row_bytes;
      const int left = args.filter_h - y;
      Vec column[kLaneVecs];
      if (left >= 4) {
        LoadColumn<4>(rows, args.row_bytes, column);
      } else if (left == 3) {
        LoadColumn<3>(rows, args.row_bytes, column);
      } else if (left == 2) {
        LoadColumn<2>(rows, args.row_bytes, column);
      } else {
        LoadColumn<1>(rows, args.row_bytes, column);
      }
      AddProducts(acc, column, weights);
    }
  }
}

template <class Range>
[[gnu::noinline]] void RowOfAnyFilter(const DepthwiseArgs& args, const RowArgs& row,
                                      const LaneConstants& constants, const Range& range) {
  // In registers: stores of codes could change what is in memory, for all that the compiler knows.
  const LaneConstants in_registers = constants;
  const std::ptrdiff_t pixel_bytes = row.pixel_bytes;
  const std::ptrdiff_t code_bytes = row.code_bytes;
  const std::uint8_t* const weights = row.weights;
  const int channels = row.channels;
  const std::uint8_t* input = row.input;
  std::uint8_t* codes = row.codes;
  for (int left = row.width; left > 0; --left, input += pixel_bytes, codes += code_bytes) {
    Vec acc[kLaneVecs];
    CopyLanes(in_registers.start, acc);
    SumPixel(args, input, weights, acc);
    StorePixel(acc, in_registers, range, codes, channels);
  }
}

template <class Range>
void ConvolveRow(const DepthwiseArgs& args, const RowArgs& row, const LaneConstants& constants,
                 const Range& range) {
  if (args.filter_h != 3 || args.filter_w != 3) {
    RowOfAnyFilter(args, row, constants, range);
  } else if (row.pixel_bytes == row.column_bytes) {
    WideRow3x3(row, constants, range);
  } else if (row.pixel_bytes == 2 * row.column_bytes) {
    EveryOtherRow3x3(row, constants, range);
  } else {
    StridedRow3x3(row, constants, range);
  }
}

std::ptrdiff_t WeightBytes(const DepthwiseArgs& args) {
  return std::ptrdiff_t{args.filter_w} * ((args.filter_h + 3) / 4) * kLaneVecs * kVecBytes;
}

template <class Range>
Range MakeCodeRange(const OutputArgs& output) {
  const auto bytes = [](float code) {
    return _mm512_set1_epi8(static_cast<char>(static_cast<int>(code)));
  };
  return {BroadcastF(output.zero_point), bytes(output.code_min), bytes(output.code_max)};
}

LaneConstants LoadConstants(const OutputArgs& output, int first) {
  LaneConstants constants;
  const int left = output.channels - first;
  LoadLanes(output.correction + first, left, constants.start);
  Vec lanes[kLaneVecs];
  LoadLanes(output.scale + first, left, lanes);
  Unroll<kLaneVecs>([&](auto v) { constants.scale[v] = _mm512_castsi512_ps(lanes[v]); });
  LoadLanes(output.bias + first, left, lanes);
  Unroll<kLaneVecs>([&](auto v) { constants.bias[v] = _mm512_castsi512_ps(lanes[v]); });
  return constants;
}

// 64 channels after 64.
template <class Range>
void ConvolveChannels(const DepthwiseArgs& args, int row_begin, int row_end) {
  const OutputArgs& output = args.output;
  const auto range = MakeCodeRange<Range>(output);
  const auto* weights = static_cast<const std::uint8_t*>(args.weights);
  for (int first = 0; first < output.channels;
       first += kLaneChannels, weights += WeightBytes(args)) {
    const int left = output.channels - first;
    const LaneConstants constants = LoadConstants(output, first);
    for (int y = row_begin; y < row_end; ++y) {
      ConvolveRow(args,
                  {args.input + y * args.input_row_bytes + first, args.row_bytes, args.column_bytes,
                   args.input_pixel_bytes, weights, output.codes + y * output.row_bytes + first,
                   output.pixel_bytes, output.width, left < kLaneChannels ? left : kLaneChannels},
                  constants, range);
    }
  }
}

// Several pixels at once, whose channels fill the lanes: all or every other of the input's.
bool FillsLanes(const DepthwiseArgs& args) {
  const OutputArgs& output = args.output;
  return RepeatsInLanes(output.channels) && args.filter_h == 3 && args.filter_w == 3 &&
         (args.input_pixel_bytes == output.channels ||
          args.input_pixel_bytes == 2 * output.channels) &&
         args.column_bytes == output.channels && output.pixel_bytes == output.channels;
}

template <class Range>
using ChunkRowFn = void (*)(const RowArgs& row, const LaneConstants& constants, const Range& range);

// REQUIRES: RepeatsInLanes(channels).
template <class Range>
ChunkRowFn<Range> ChunkRow(int channels, bool every_other) {
  if (channels == 8) return every_other ? EveryOtherChunkRow3x3<8, Range> : ChunkRow3x3<8, Range>;
  if (channels == 16)
    return every_other ? EveryOtherChunkRow3x3<16, Range> : ChunkRow3x3<16, Range>;
  return every_other ? EveryOtherChunkRow3x3<32, Range> : ChunkRow3x3<32, Range>;
}

template <class Range>
void ConvolvePixels(const DepthwiseArgs& args, int row_begin, int row_end) {
  const OutputArgs& output = args.output;
  const ChunkRowFn<Range> chunk_row =
      ChunkRow<Range>(output.channels, args.input_pixel_bytes > output.channels);
  const auto range = MakeCodeRange<Range>(output);
  const LaneConstants constants = LoadConstants(output, 0);
  const std::ptrdiff_t stride = args.input_pixel_bytes / output.channels;
  const int chunks = output.width * output.channels / kLaneChannels;
  const int rest = output.width * output.channels % kLaneChannels;
  for (int y = row_begin; y < row_end; ++y) {
    RowArgs row = {args.input + y * args.input_row_bytes,
                   args.row_bytes,
                   args.column_bytes,
                   stride * kLaneChannels,
                   static_cast<const std::uint8_t*>(args.weights),
                   output.codes + y * output.row_bytes,
                   kLaneChannels,
                   chunks,
                   kLaneChannels};
    if (chunks > 0) chunk_row(row, constants, range);
    row.input += chunks * stride * kLaneChannels;
    row.codes += chunks * kLaneChannels;
    if (rest > 0 && stride == 1) {
      row.width = 1;
      row.channels = rest;
      StridedRow3x3(row, constants, range);
    } else if (rest > 0) {  // Pixel by pixel, or the last might read too far behind the image.
      row.pixel_bytes = stride * output.channels;
      row.code_bytes = row.channels = output.channels;
      row.width = rest / output.channels;
      StridedRow3x3(row, constants, range);
    }
  }
}

template <class Range>
void ConvolveToCodes(const DepthwiseArgs& args, int row_begin, int row_end) {
  if (FillsLanes(args)) {
    ConvolvePixels<Range>(args, row_begin, row_end);
    return;
  }
  const int band = (kBandPixels + args.output.width - 1) / args.output.width;
  for (int row = row_begin; row < row_end; row += band) {
    ConvolveChannels<Range>(args, row, row + band < row_end ? row + band : row_end);
  }
}

// Through sums in memory, in the order of channels.
void ConvolveToSums(const DepthwiseArgs& args, int row_begin, int row_end) {
  const OutputArgs& output = args.output;
  const auto* weights = static_cast<const std::uint8_t*>(args.weights);
  alignas(64) std::int32_t sums[kPackPixels * kSumStride] = {};
  for (int first = 0; first < output.channels;
       first += kLaneChannels, weights += WeightBytes(args)) {
    const int blocks = (output.channels - first + kBlockChannels - 1) / kBlockChannels;
    InputCursor input(args.input + row_begin * args.input_row_bytes + first, args.input_row_bytes,
                      args.input_pixel_bytes, output.width);
    OutputCursor cursor(output, row_begin);
    for (int left = (row_end - row_begin) * output.width; left > 0; --left) {
      Vec acc[kLaneVecs] = {Zero(), Zero(), Zero(), Zero()};
      SumPixel(args, input.Next(), weights, acc);
      alignas(64) std::int32_t lanes[kLaneVecs][kLanes];
      Unroll<kLaneVecs>([&](auto v) { StoreInts(lanes[v], acc[v]); });
      for (int c = 0; c < kLaneChannels; ++c) {
        sums[c] = lanes[c % 16 / 4][c / 16 * 4 + c % 4];
      }
      StoreTile(output, sums, 1, blocks < kLaneVecs ? blocks : kLaneVecs, first, cursor);
      cursor.Advance();
    }
  }
}

}  // namespace

void depthwise_w8a8_i32_avx512vnni(const DepthwiseArgs& args, int row_begin, int row_end) {
  const OutputArgs& output = args.output;
  if (!output.stays_in_int32 || output.logits != nullptr || output.residual != nullptr) {
    ConvolveToSums(args, row_begin, row_end);
    return;
  }
  output.zero_point != 0.0F ? ConvolveToCodes<CodeRange<true>>(args, row_begin, row_end)
                            : ConvolveToCodes<CodeRange<false>>(args, row_begin, row_end);
}

}  // namespace bitpilot
