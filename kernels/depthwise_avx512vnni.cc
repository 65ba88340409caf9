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

#include "kernels/depthwise.h"

namespace bitpilot {
namespace {

#include "kernels/vector_avx512.inc"

constexpr int kLaneChannels = 64;
constexpr int kLaneVecs = kLaneChannels / kLanes;
constexpr int kVecBytes = 64;
constexpr int kSumStride = kLaneChannels;
// Pixels of a band of rows at least, so that 64 channels' constants are worth loading.
constexpr int kBandPixels = 64;

#include "kernels/output_vector.inc"

#include "kernels/output_avx512.inc"

// True for channels of which several pixels fill the lanes: so few are packed again and again.
constexpr bool RepeatsInLanes(int channels) {
  return channels == 8 || channels == 16 || channels == 32;
}

// What 64 channels need, in the order of interleaved lanes: vector v holds channels 4 v .. 4 v + 3
// of each 16.
struct LaneConstants {
  Vec start[kLaneVecs];
  FloatVec scale[kLaneVecs];
  FloatVec bias[kLaneVecs];
};

// One row of output pixels, or of chunks of 64 bytes that hold several narrow pixels.
struct RowArgs {
  const std::uint8_t* input;    // First row and column of the first window.
  std::ptrdiff_t row_bytes;     // From one filter row to the next,
  std::ptrdiff_t column_bytes;  // one filter column to the next,
  std::ptrdiff_t pixel_bytes;   // and one output pixel to the next.
  const std::uint8_t* weights;  // [filter_w][kLaneVecs][kVecBytes]
  std::uint8_t* codes;
  std::ptrdiff_t code_bytes;  // From one output pixel to the next.
  int width;                  // Pixels.
  int channels;               // 1 to 64: codes of a pixel to store.
};

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

// The columns of 64 lanes: bytes of kRows rows behind `input`, the last one repeated up to four.
// load(pointer) gives a row's 64 bytes.
template <int kRows, class Load64>
[[gnu::always_inline]] inline void LoadColumn(const std::uint8_t* input, std::ptrdiff_t row_bytes,
                                              Vec* column, const Load64& load) {
  Vec row[4];
  Unroll<4>([&](auto y) __attribute__((always_inline)) {
    row[y] = y < kRows ? load(input + y * row_bytes) : row[kRows - 1];
  });
  const Vec low01 = _mm512_unpacklo_epi8(row[0], row[1]);
  const Vec high01 = _mm512_unpackhi_epi8(row[0], row[1]);
  const Vec low23 = _mm512_unpacklo_epi8(row[2], row[3]);
  const Vec high23 = _mm512_unpackhi_epi8(row[2], row[3]);
  column[0] = _mm512_unpacklo_epi16(low01, low23);
  column[1] = _mm512_unpackhi_epi16(low01, low23);
  column[2] = _mm512_unpacklo_epi16(high01, high23);
  column[3] = _mm512_unpackhi_epi16(high01, high23);
}

// Of 64 channels.
template <int kRows>
[[gnu::always_inline]] inline void LoadColumn(const std::uint8_t* input, std::ptrdiff_t row_bytes,
                                              Vec* column) {
  LoadColumn<kRows>(
      input, row_bytes, column,
      [](const std::uint8_t* row) __attribute__((always_inline)) { return Load(row); });
}

[[gnu::always_inline]] inline void AddProducts(Vec* acc, const Vec* column,
                                               const std::uint8_t* weights) {
  Unroll<kLaneVecs>([&](auto v) __attribute__((always_inline)) {
    acc[v] = _mm512_dpbusd_epi32(acc[v], column[v], Load(weights + v * kVecBytes));
  });
}

// What turns sums into codes and is the same for all channels.
struct CodeRange {
  FloatVec zero_point;
  Vec min;
  Vec max;
};

// Requantizes one pixel's accumulators and stores its first `count` codes.
[[gnu::always_inline]] inline void StorePixel(const Vec* acc, const LaneConstants& constants,
                                              const CodeRange& range, std::uint8_t* codes,
                                              int count) {
  Vec lanes[kLaneVecs];
  Unroll<kLaneVecs>([&](auto v) __attribute__((always_inline)) {
    const FloatVec t = AddF(MulF(ToFloat(acc[v]), constants.scale[v]), constants.bias[v]);
    lanes[v] = ToInt(AddF(t, range.zero_point));
  });
  Vec packed = _mm512_packus_epi16(_mm512_packs_epi32(lanes[0], lanes[1]),
                                   _mm512_packs_epi32(lanes[2], lanes[3]));
  packed = _mm512_max_epu8(_mm512_min_epu8(packed, range.max), range.min);
  if (count == 64) {
    StoreInts(codes, packed);
  } else if (count == 32) {  // Storing by mask takes much longer.
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), _mm512_castsi512_si256(packed));
  } else if (count == 16) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm512_castsi512_si128(packed));
  } else {
    _mm512_mask_storeu_epi8(codes, (std::uint64_t{1} << count) - 1, packed);
  }
}

// 3x3, stride 1: a column is interleaved once for the three pixels that it belongs to.
void Row3x3(const RowArgs& row, const LaneConstants& constants, const CodeRange& range) {
  Vec first[kLaneVecs];
  Vec second[kLaneVecs];
  Vec third[kLaneVecs];
  Vec column[kLaneVecs];
  constexpr int kColumn = kLaneVecs * kVecBytes;
  const auto start = [&](Vec * acc) __attribute__((always_inline)) {
    Unroll<kLaneVecs>([&](auto v) __attribute__((always_inline)) { acc[v] = constants.start[v]; });
  };
  const std::uint8_t* input = row.input;
  std::uint8_t* codes = row.codes;
  start(first);
  start(second);
  LoadColumn<3>(input, row.row_bytes, column);
  AddProducts(first, column, row.weights);
  input += row.column_bytes;
  LoadColumn<3>(input, row.row_bytes, column);
  AddProducts(first, column, row.weights + kColumn);
  AddProducts(second, column, row.weights);
  // Pixel of `a`; its next two are in `b` and `c`.
  const auto step = [&](Vec * a, Vec * b, Vec * c) __attribute__((always_inline)) {
    input += row.column_bytes;
    LoadColumn<3>(input, row.row_bytes, column);
    start(c);
    AddProducts(a, column, row.weights + 2 * kColumn);
    AddProducts(b, column, row.weights + kColumn);
    AddProducts(c, column, row.weights);
    StorePixel(a, constants, range, codes, row.channels);
    codes += row.code_bytes;
  };
  for (int x = row.width;;) {
    step(first, second, third);
    if (--x == 0) break;
    step(second, third, first);
    if (--x == 0) break;
    step(third, first, second);
    if (--x == 0) break;
  }
}

// 3x3, any stride: every pixel interleaves its own columns.
template <class Load64>
[[gnu::always_inline]] inline void Row3x3Strided(const RowArgs& row, const LaneConstants& constants,
                                                 const CodeRange& range, const Load64& load) {
  const std::uint8_t* input = row.input;
  std::uint8_t* codes = row.codes;
  for (int x = 0; x < row.width; ++x, input += row.pixel_bytes, codes += row.code_bytes) {
    Vec acc[kLaneVecs];
    Unroll<kLaneVecs>([&](auto v) __attribute__((always_inline)) { acc[v] = constants.start[v]; });
    Unroll<3>([&](auto column) __attribute__((always_inline)) {
      Vec bytes[kLaneVecs];
      LoadColumn<3>(input + column * row.column_bytes, row.row_bytes, bytes, load);
      AddProducts(acc, bytes, row.weights + column * kLaneVecs * kVecBytes);
    });
    StorePixel(acc, constants, range, codes, row.channels);
  }
}

void Row3x3Strided(const RowArgs& row, const LaneConstants& constants, const CodeRange& range) {
  Row3x3Strided(
      row, constants, range,
      [](const std::uint8_t* from) __attribute__((always_inline)) { return Load(from); });
}

// The same where several pixels fill the lanes and every other pixel of the input counts.
void Row3x3EveryOther(const RowArgs& row, const LaneConstants& constants, const CodeRange& range,
                      int channels) {
  // The 8 bytes i of 16 whose pixel is even.
  alignas(64) std::int64_t even[8];
  const int words = channels / 8;  // Of a pixel.
  for (int i = 0; i < 8; ++i) {
    even[i] = i / words * 2 * words + i % words;
  }
  const Vec order = Load(even);
  Row3x3Strided(
      row, constants, range, [order](const std::uint8_t* from) __attribute__((always_inline)) {
        return _mm512_permutex2var_epi64(Load(from), order, Load(from + kVecBytes));
      });
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

void RowOfAnyFilter(const DepthwiseArgs& args, const RowArgs& row, const LaneConstants& constants,
                    const CodeRange& range) {
  for (int x = 0; x < row.width; ++x) {
    Vec acc[kLaneVecs];
    Unroll<kLaneVecs>([&](auto v) __attribute__((always_inline)) { acc[v] = constants.start[v]; });
    SumPixel(args, row.input + x * row.pixel_bytes, row.weights, acc);
    StorePixel(acc, constants, range, row.codes + x * row.code_bytes, row.channels);
  }
}

void ConvolveRow(const DepthwiseArgs& args, const RowArgs& row, const LaneConstants& constants,
                 const CodeRange& range) {
  if (args.filter_h != 3 || args.filter_w != 3) {
    RowOfAnyFilter(args, row, constants, range);
  } else if (row.pixel_bytes == row.column_bytes) {
    Row3x3(row, constants, range);
  } else {
    Row3x3Strided(row, constants, range);
  }
}

std::ptrdiff_t WeightBytes(const DepthwiseArgs& args) {
  return std::ptrdiff_t{args.filter_w} * ((args.filter_h + 3) / 4) * kLaneVecs * kVecBytes;
}

CodeRange MakeCodeRange(const OutputArgs& output) {
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
void ConvolveChannels(const DepthwiseArgs& args, int row_begin, int row_end) {
  const OutputArgs& output = args.output;
  const CodeRange range = MakeCodeRange(output);
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

void ConvolvePixels(const DepthwiseArgs& args, int row_begin, int row_end) {
  const OutputArgs& output = args.output;
  const CodeRange range = MakeCodeRange(output);
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
    stride == 1 ? Row3x3Strided(row, constants, range)
                : Row3x3EveryOther(row, constants, range, output.channels);
    row.input += chunks * stride * kLaneChannels;
    row.codes += chunks * kLaneChannels;
    if (rest > 0 && stride == 1) {
      row.width = 1;
      row.channels = rest;
      Row3x3Strided(row, constants, range);
    } else if (rest > 0) {  // Pixel by pixel, or the last might read too far behind the image.
      row.pixel_bytes = stride * output.channels;
      row.code_bytes = row.channels = output.channels;
      row.width = rest / output.channels;
      Row3x3Strided(row, constants, range);
    }
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
  if (FillsLanes(args)) {
    ConvolvePixels(args, row_begin, row_end);
    return;
  }
  const int band = (kBandPixels + output.width - 1) / output.width;
  for (int row = row_begin; row < row_end; row += band) {
    ConvolveChannels(args, row, row + band < row_end ? row + band : row_end);
  }
}

}  // namespace bitpilot
