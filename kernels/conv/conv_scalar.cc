// Portable convolution kernels, for CPUs without vector instructions: several products in one
// multiplication. Compiled without the vectorizer, so that on a large CPU `--isa scalar` stands for
// a small one.
//
// A word holds weights of several channels as the sum of weight[f] * 2^(kFieldBits * f), so a code
// times the word is the sum of their products at the same places. Sums of such products begin with
// 2^(kFieldBits - 1) in every field: as long as no field's sum reaches that magnitude, which the
// runs see to, fields stay positive and take nothing from their neighbours.
#include "kernels/conv/conv.h"
#include "kernels/conv/conv_scalar_driver.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t FieldOffsets(int field_bits) {
  std::uint64_t offsets = 0;
  for (int field = 0; field < FieldsPerWord(field_bits); ++field) {
    offsets |= std::uint64_t{1} << (field_bits * field + field_bits - 1);
  }
  return offsets;
}

// Packed words lie at multiples of their size. Where a CPU may be slow at others (RISC-V), the
// compiler loads a word byte by byte unless it is told.
inline std::uint64_t LoadWord(const std::uint8_t* data) {
  std::uint64_t word;
  __builtin_memcpy(&word, __builtin_assume_aligned(data, sizeof(word)), sizeof(word));
  return word;
}

// acc[o] += the sum in each channel's field. Unsigned, because raw sums may wrap around.
template <int kFieldBits>
[[gnu::always_inline]] inline void AddFields(const std::uint64_t* words, std::uint32_t* acc) {
  constexpr int kFields = FieldsPerWord(kFieldBits);
  constexpr std::uint64_t kMask = (std::uint64_t{1} << kFieldBits) - 1;
  constexpr std::uint32_t kOffset = std::uint32_t{1} << (kFieldBits - 1);
#pragma GCC unroll 16
  for (int o = 0; o < kBlockChannels; ++o) {
    const std::uint64_t field = words[o / kFields] >> (o % kFields * kFieldBits) & kMask;
    acc[o] += static_cast<std::uint32_t>(field) - kOffset;
  }
}

// Adds the sums of one pixel's window with one block of channels to acc.
template <int kFieldBits>
void AccumulateBlock(const DepthRun* run, const std::uint8_t* window, const std::uint8_t* weights,
                     std::uint32_t* acc) {
  constexpr int kWords = FieldWords(kFieldBits);
  constexpr std::ptrdiff_t kWordBytes = sizeof(std::uint64_t);
  constexpr std::ptrdiff_t kElementBytes = kWords * kWordBytes;
  constexpr std::uint64_t kOffsets = FieldOffsets(kFieldBits);
  std::uint64_t words[kWords];  // In registers, as the loops over them are unrolled.
#pragma GCC unroll 8
  for (int i = 0; i < kWords; ++i) {
    words[i] = kOffsets;
  }
  for (; run->num_steps != 0; ++run) {
    const std::uint8_t* input = window + run->offset;
    const std::uint8_t* end = input + 4 * static_cast<std::ptrdiff_t>(run->num_steps);
    for (; input != end; input += 4, weights += 4 * kElementBytes) {
#pragma GCC unroll 4
      for (int element = 0; element < 4; ++element) {
        const std::uint64_t code = input[element];
#pragma GCC unroll 8
        for (int i = 0; i < kWords; ++i) {
          words[i] += code * LoadWord(weights + element * kElementBytes + i * kWordBytes);
        }
      }
    }
    if (run->widen) {
      AddFields<kFieldBits>(words, acc);
#pragma GCC unroll 8
      for (int i = 0; i < kWords; ++i) {
        words[i] = kOffsets;
      }
    }
  }
  AddFields<kFieldBits>(words, acc);
}

template <int kFieldBits>
void RunFields(const ConvArgs& args, int row_begin, int row_end) {
  ConvolveScalar(
      args, row_begin, row_end,
      [&args](const std::uint8_t* window, const std::uint8_t* weights, std::int32_t* acc) {
        AccumulateBlock<kFieldBits>(args.runs, window, weights,
                                    reinterpret_cast<std::uint32_t*>(acc));
      });
}

}  // namespace

#define BITPILOT_FIELDS_KERNEL(name, field_bits)                \
  void name(const ConvArgs& args, int row_begin, int row_end) { \
    RunFields<field_bits>(args, row_begin, row_end);            \
  }
BITPILOT_FIELDS_KERNEL(conv_w2a2_i8_scalar, 8)
BITPILOT_FIELDS_KERNEL(conv_w3a1_i8_scalar, 8)
BITPILOT_FIELDS_KERNEL(conv_w2a3_i10_scalar, 10)
BITPILOT_FIELDS_KERNEL(conv_w3a2_i10_scalar, 10)
BITPILOT_FIELDS_KERNEL(conv_w3a8_i16_scalar, 16)
BITPILOT_FIELDS_KERNEL(conv_w4a7_i16_scalar, 16)
BITPILOT_FIELDS_KERNEL(conv_w5a6_i16_scalar, 16)
BITPILOT_FIELDS_KERNEL(conv_w6a5_i16_scalar, 16)
BITPILOT_FIELDS_KERNEL(conv_w7a4_i16_scalar, 16)
BITPILOT_FIELDS_KERNEL(conv_w8a3_i16_scalar, 16)
BITPILOT_FIELDS_KERNEL(conv_w8a8_i21_scalar, 21)
#undef BITPILOT_FIELDS_KERNEL

}  // namespace bitpilot
