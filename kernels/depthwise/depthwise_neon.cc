// Depthwise convolution of 64-bit Arm. As every kernel of an instruction set: use no inline function or template here but
// intrinsics and this file's own.
//
// Products are of signed bytes, so codes are taken less 128, and sums begin at 128 times the sum of the weights. Sums in 16
// bits may wrap around on their way: what they end with fits.
#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/depthwise/depthwise.h"

namespace bitpilot {
namespace {

#include "kernels/cpu/vector_neon.inc"

constexpr int kSumStride = kBlockChannels;
constexpr int kTaps3x3 = 9;

#include "kernels/output/output_vector.inc"

inline int8x16_t LoadWeights(const std::uint8_t* weights, int tap) {
  return vreinterpretq_s8_u8(vld1q_u8(weights + tap * kBlockChannels));
}

inline int8x16_t LoadSigned(const std::uint8_t* codes) {
  return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(codes), vdupq_n_u8(0x80)));
}

// 16 channels' sums in 32 bits, of products that are added up two by two in 16 bits.
struct Sums32 {
  static constexpr bool kHoldsCorrection = true;  // May begin with the correction, too.
  [[gnu::always_inline]] explicit Sums32(const Vec* begin) {
    Unroll<kBlockVecs>([&](auto v) __attribute__((always_inline)) { lanes[v] = begin[v]; });
  }
  template <bool kTwo>
  [[gnu::always_inline]] void Add(int8x16_t x, int8x16_t w, int8x16_t next_x, int8x16_t next_w) {
    int16x8_t low = vmull_s8(vget_low_s8(x), vget_low_s8(w));
    int16x8_t high = vmull_high_s8(x, w);
    if constexpr (kTwo) {
      low = vmlal_s8(low, vget_low_s8(next_x), vget_low_s8(next_w));
      high = vmlal_high_s8(high, next_x, next_w);
    }
    lanes[0] = vaddw_s16(lanes[0], vget_low_s16(low));
    lanes[1] = vaddw_high_s16(lanes[1], low);
    lanes[2] = vaddw_s16(lanes[2], vget_low_s16(high));
    lanes[3] = vaddw_high_s16(lanes[3], high);
  }
  [[gnu::always_inline]] void Finish() {}

  Vec lanes[kBlockVecs];
};

// The same in 16 bits.
struct Sums16 {
  static constexpr bool kHoldsCorrection = false;
  [[gnu::always_inline]] explicit Sums16(const Vec* begin)
      : low(vcombine_s16(vmovn_s32(begin[0]), vmovn_s32(begin[1]))),
        high(vcombine_s16(vmovn_s32(begin[2]), vmovn_s32(begin[3]))) {}
  template <bool kTwo>
  [[gnu::always_inline]] void Add(int8x16_t x, int8x16_t w, int8x16_t next_x, int8x16_t next_w) {
    low = vmlal_s8(low, vget_low_s8(x), vget_low_s8(w));
    high = vmlal_high_s8(high, x, w);
    if constexpr (kTwo) {
      low = vmlal_s8(low, vget_low_s8(next_x), vget_low_s8(next_w));
      high = vmlal_high_s8(high, next_x, next_w);
    }
  }
  [[gnu::always_inline]] void Finish() { WidenUnpacked(FromWords(low), FromWords(high), lanes); }

  int16x8_t low;
  int16x8_t high;
  Vec lanes[kBlockVecs];
};

// What the pixels of a block of channels have in common.
struct BlockArgs {
  const std::int32_t* tap_offsets;
  const std::uint8_t* weights;
  int num_taps;
  Vec begin[kBlockVecs];
};

// 128 times the sum of each channel's weights.
void SumWeights(const std::uint8_t* weights, int num_taps, Vec* begin) {
  Unroll<kBlockVecs>([&](auto v) __attribute__((always_inline)) { begin[v] = Zero(); });
  for (int tap = 0; tap < num_taps; ++tap) {
    const int8x16_t w = LoadWeights(weights, tap);
    const int16x8_t low = vmovl_s8(vget_low_s8(w));
    const int16x8_t high = vmovl_high_s8(w);
    begin[0] = vaddw_s16(begin[0], vget_low_s16(low));
    begin[1] = vaddw_high_s16(begin[1], low);
    begin[2] = vaddw_s16(begin[2], vget_low_s16(high));
    begin[3] = vaddw_high_s16(begin[3], high);
  }
  Unroll<kBlockVecs>([&](auto v)
                         __attribute__((always_inline)) { begin[v] = vshlq_n_s32(begin[v], 7); });
}

// Of any filter. window: of a pixel, the block's first channel.
template <class Sums>
[[gnu::always_inline]] inline void SumTaps(const BlockArgs& block, const std::uint8_t* window,
                                           Vec* lanes) {
  Sums sums(block.begin);
  for (int tap = 0; tap < block.num_taps; tap += 2) {
    sums.template Add</*kTwo=*/true>(
        LoadSigned(window + block.tap_offsets[tap]), LoadWeights(block.weights, tap),
        LoadSigned(window + block.tap_offsets[tap + 1]), LoadWeights(block.weights, tap + 1));
  }
  sums.Finish();
  Unroll<kBlockVecs>([&](auto v) __attribute__((always_inline)) { lanes[v] = sums.lanes[v]; });
}

// Codes of a row of a whole block of channels by a filter of 3x3, whose weights stay in registers. Conversion saturates, so clamping comes behind it.
template <class Sums, bool kResidual, bool kPlain>
[[gnu::noinline]] void Row3x3(const BlockArgs& block, const OutputArgs& output, int first,
                              const std::uint8_t* window, std::ptrdiff_t pixel_bytes,
                              std::uint8_t* codes, const std::uint8_t* residual) {
  int8x16_t w[kTaps3x3];
  const std::uint8_t* taps[kTaps3x3];
  Unroll<kTaps3x3>([&](auto tap) __attribute__((always_inline)) {
    w[tap] = LoadWeights(block.weights, tap);
    taps[tap] = window + block.tap_offsets[tap];
  });
  constexpr bool kBeginsCorrected = Sums::kHoldsCorrection && !kPlain && !kResidual;
  const std::int32_t* correction = output.correction + first;
  Vec begin[kBlockVecs];
  Unroll<kBlockVecs>([&](auto v) __attribute__((always_inline)) {
    begin[v] = block.begin[v];
    if constexpr (kBeginsCorrected) begin[v] = Add32(begin[v], Load(correction + v * kLanes));
  });
  const Vec code_min = BroadcastBytes(static_cast<int>(output.code_min));
  const Vec code_max = BroadcastBytes(static_cast<int>(output.code_max));
  const std::ptrdiff_t code_bytes = output.pixel_bytes;
  const std::ptrdiff_t residual_bytes = output.residual_pixel_bytes;
  // For these there are too few registers.
  const float* scale = output.scale + first;
  const float* bias = output.bias + first;
  const float* zero_point = &output.zero_point;
  const std::int32_t* residual_zero_point = &output.residual_zero_point;
  const float* residual_scale = &output.residual_scale;
  std::ptrdiff_t offset = 0;
  for (int left = output.width; left > 0; --left) {
    // No instructions: the compiler would keep copies of the weights' low halves, for which there are no registers.
    Unroll<kTaps3x3>([&](auto tap) __attribute__((always_inline)) { asm("" : "+w"(w[tap])); });
    Sums sums(kResidual ? block.begin : begin);
    Unroll<kTaps3x3 / 2>([&](auto pair) __attribute__((always_inline)) {
      sums.template Add</*kTwo=*/true>(LoadSigned(taps[2 * pair] + offset), w[2 * pair],
                                       LoadSigned(taps[2 * pair + 1] + offset), w[2 * pair + 1]);
    });
    const int8x16_t last = LoadSigned(taps[kTaps3x3 - 1] + offset);
    sums.template Add</*kTwo=*/false>(last, w[kTaps3x3 - 1], last, w[kTaps3x3 - 1]);
    sums.Finish();
    offset += pixel_bytes;
    Vec lanes[kBlockVecs];
    Unroll<kBlockVecs>([&](auto v) __attribute__((always_inline)) {
      Vec sum = sums.lanes[v];
      if constexpr (!kPlain && !kBeginsCorrected) sum = Add32(sum, Load(correction + v * kLanes));
      FloatVec t = AddF(MulF(ToFloat(sum), LoadF(scale + v * kLanes)), LoadF(bias + v * kLanes));
      if constexpr (kResidual) {
        const Vec r = Sub32(LoadCodes(residual + v * kLanes), vld1q_dup_s32(residual_zero_point));
        t = AddF(t, MulF(ToFloat(r), vld1q_dup_f32(residual_scale)));
      }
      lanes[v] = ToInt(kPlain ? t : AddF(t, vld1q_dup_f32(zero_point)));
    });
    Codes16 packed[kPackPixels];
    PackClamped<kPlain>(lanes, code_min, code_max, packed);
    StoreCodes16(codes, packed[0]);
    codes += code_bytes;
    if constexpr (kResidual) residual += residual_bytes;
  }
}

template <class Sums>
void RunRow3x3(const BlockArgs& block, const OutputArgs& output, int first,
               const std::uint8_t* window, std::ptrdiff_t pixel_bytes, int y) {
  std::uint8_t* codes = output.codes + y * output.row_bytes + first;
  if (output.residual != nullptr) {
    const std::uint8_t* residual = output.residual + y * output.residual_row_bytes + first;
    Row3x3<Sums, true, false>(block, output, first, window, pixel_bytes, codes, residual);
  } else if (output.is_plain) {
    Row3x3<Sums, false, true>(block, output, first, window, pixel_bytes, codes, nullptr);
  } else {
    Row3x3<Sums, false, false>(block, output, first, window, pixel_bytes, codes, nullptr);
  }
}

template <class Sums>
void RunDepthwise(const DepthwiseArgs& args, int row_begin, int row_end) {
  const OutputArgs& output = args.output;
  const auto* weights = static_cast<const std::uint8_t*>(args.weights);
  const bool is_3x3 = args.num_taps > 0 && args.filter_h * args.filter_w == kTaps3x3;
  for (int first = 0; first < output.channels; first += kBlockChannels) {
    BlockArgs block = {args.tap_offsets, weights, args.num_taps, {}};
    SumWeights(weights, args.num_taps, block.begin);
    const bool whole = output.channels - first >= kBlockChannels && output.logits == nullptr;
    for (int y = row_begin; y < row_end; ++y) {
      const std::uint8_t* window = args.input + y * args.input_row_bytes + first;
      if (whole && is_3x3) {
        RunRow3x3<Sums>(block, output, first, window, args.input_pixel_bytes, y);
        continue;
      }
      OutputCursor cursor(output, y);
      for (int x = 0; x < output.width; ++x, window += args.input_pixel_bytes) {
        Vec lanes[kBlockVecs];
        SumTaps<Sums>(block, window, lanes);
        alignas(16) std::int32_t sums[kBlockChannels];
        Unroll<kBlockVecs>([&](auto v) __attribute__((always_inline)) {
          StoreInts(sums + v * kLanes, lanes[v]);
        });
        StoreTile(output, sums, 1, 1, first, cursor);
        cursor.Advance();
      }
    }
    weights += args.num_taps * std::ptrdiff_t{kBlockChannels};
  }
}

}  // namespace

void depthwise_w4a8_i16_neon(const DepthwiseArgs& args, int row_begin, int row_end) {
  RunDepthwise<Sums16>(args, row_begin, row_end);
}

void depthwise_w8a8_i32_neon(const DepthwiseArgs& args, int row_begin, int row_end) {
  RunDepthwise<Sums32>(args, row_begin, row_end);
}

}  // namespace bitpilot
