// The rules of kernels/conv/conv_kernels.inc: how many steps narrow sums hold, and which row is
// chosen.
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/conv/conv_format.h"
#include "kernels/elementwise/elementwise.h"

namespace bitpilot {

namespace conv_formats {
extern const ConvFormat kBytes, kBytesInt16, kDense2, kDense4, kPlanes64, kSignPlanes, kSignTables;
}

namespace {

// 2 * 255 * 7 = 3570 a step at worst; nine of them are 32130, a tenth would pass 32767.
TEST(Int16StepsFromZeroTest, CountsStepsThatCannotOverflow) {
  EXPECT_EQ(Int16StepsFromZero(4, 8), 9);
  EXPECT_EQ(Int16StepsFromZero(7, 8), 1);
  EXPECT_EQ(Int16StepsFromZero(8, 8), 0);
  EXPECT_EQ(Int16StepsFromZero(2, 1), 16383);
}

// Codes of 8 bits are at most 128 from the middle: 2 * 128 * 7 = 1792 a step, 18 of them are 32256.
TEST(Int16PeriodTest, CountsStepsOfCentredCodes) {
  EXPECT_EQ(Int16Period(4, 8), 18);
  EXPECT_EQ(Int16Period(6, 8), 4);
  EXPECT_EQ(Int16Period(7, 8), 2);
  EXPECT_EQ(Int16Period(8, 8), 1);
  EXPECT_EQ(Int16Period(2, 1), 16383);
}

// A look-up finds the sum of up to 4 codes, and a byte holds 255.
TEST(TablePeriodTest, CountsStepsThatCannotOverflow) {
  EXPECT_EQ(TablePeriod(1, 1), 63);
  EXPECT_EQ(TablePeriod(1, 2), 21);
  EXPECT_EQ(TablePeriod(1, 4), 4);
  EXPECT_EQ(TablePeriod(2, 4), 2);
}

// 4 * 255 * 127 = 129540 a step at worst; 8 of them are below 2^20, a ninth would not be.
TEST(FieldPeriodTest, CountsStepsThatCannotOverflow) {
  EXPECT_EQ(FieldPeriod(21, 8, 8), 8);
  EXPECT_EQ(FieldPeriod(16, 4, 4), 78);
  EXPECT_EQ(FieldPeriod(8, 1, 1), 31);
  EXPECT_EQ(FieldPeriod(32, 8, 8), 16577);
}

TEST(FieldWordsTest, HoldABlockOfChannels) {
  EXPECT_EQ(FieldWords(32), 8);
  EXPECT_EQ(FieldWords(21), 6);  // 18 fields.
  EXPECT_EQ(FieldWords(16), 4);
  EXPECT_EQ(FieldWords(10), 3);
  EXPECT_EQ(FieldWords(8), 2);
}

TEST(SelectConvKernelTest, CoversEveryWidthOnEveryInstructionSet) {
  for (const Isa limit : AllIsas()) {
    for (int weight_bits = 1; weight_bits <= 8; ++weight_bits) {
      for (int activation_bits = 1; activation_bits <= 8; ++activation_bits) {
        const ConvKernel& kernel = SelectConvKernel(limit, weight_bits, activation_bits, 1, 4);
        EXPECT_TRUE(Allows(limit, kernel.features));
        EXPECT_LE(weight_bits, kernel.max_weight_bits);
        EXPECT_LE(activation_bits, kernel.max_activation_bits);
        EXPECT_LE(kernel.format->bit_products(weight_bits, activation_bits),
                  kernel.max_bit_products);
      }
    }
  }
}

// A pass a plane of the activations and a magnitude bit of the weights.
TEST(BitProductsTest, CountSignsAndMagnitudesOfWeights) {
  EXPECT_EQ(conv_formats::kSignPlanes.bit_products(1, 1), 1);
  EXPECT_EQ(conv_formats::kSignPlanes.bit_products(2, 2), 2);
  EXPECT_EQ(conv_formats::kSignPlanes.bit_products(8, 8), 56);
  EXPECT_EQ(conv_formats::kPlanes64.bit_products(2, 2), 4);
}

// Products of signed bytes need codes below 128; the correction gives back what was taken.
TEST(SignedCodesFormTest, TakesFromEveryCodeWhatItSays) {
  constexpr std::size_t kSlack = 64;
  std::vector<std::uint8_t> codes(256 + kSlack);
  for (std::size_t i = 0; i < 256; ++i) codes[i] = static_cast<std::uint8_t>(i);
  const InputCodes input = {.codes = codes.data(),
                            .total_bytes = 256,
                            .pixel_bytes = 4,
                            .channels = 4,
                            .slack_bytes = kSlack};
  std::vector<std::uint8_t> form(kSignedCodesForm.total_bytes(input));
  kSignedCodesForm.ConvertAll(SelectElementwiseKernels(Isa::kScalar), input, form.data());
  for (int code = 0; code < 256; ++code) {
    EXPECT_EQ(static_cast<std::int8_t>(form[static_cast<std::size_t>(code)]),
              code - kSignedCodesForm.code_offset);
  }
  EXPECT_FALSE(kSignedCodesForm.is_codes());
  EXPECT_TRUE(kCodesForm.is_codes());
}

// Threads convert ranges side by side: bytes that belong to another range must stay as they are.
TEST(ConvInputFormTest, RangesOfPixelsGiveWhatTheWholeTensorDoes) {
  constexpr std::ptrdiff_t kPixelBytes = 20;
  constexpr std::ptrdiff_t kNumPixels = 37;
  constexpr std::size_t kSlack = 64;
  const ElementwiseKernels& elementwise = SelectElementwiseKernels(DefaultIsa().value());
  for (const ConvKernel& kernel : AllConvKernels()) {
    for (const int bits : {1, 3, kernel.max_activation_bits}) {
      const ConvInputForm& form = kernel.format->InputForm(bits);
      if (form.is_codes()) continue;
      SCOPED_TRACE(testing::Message() << kernel.name << " a" << bits);
      std::vector<std::uint8_t> codes(kPixelBytes * kNumPixels + kSlack);
      for (std::size_t i = 0; i < codes.size(); ++i) {
        codes[i] = static_cast<std::uint8_t>(i * 37 % (std::size_t{1} << bits));
      }
      const InputCodes input = {.codes = codes.data(),
                                .total_bytes = kPixelBytes * kNumPixels,
                                .pixel_bytes = kPixelBytes,
                                .channels = 18,
                                .bits = bits,
                                .parity_distance_bytes = 2,
                                .slack_bytes = kSlack};
      const auto convert = [&](const std::vector<PixelRange>& ranges) {
        std::vector<std::uint8_t> converted(form.total_bytes(input), 0xA5);
        for (const PixelRange& range : ranges) {
          form.convert(elementwise, input, range, converted.data());
        }
        return converted;
      };
      const std::vector<std::uint8_t> whole = convert({{0, kNumPixels}});
      EXPECT_EQ(convert({{20, kNumPixels}, {0, 7}, {7, 20}}), whole);
    }
  }
}

// Up to two passes over planes, then up to two look-ups, then dot products of bytes.
TEST(SelectConvKernelTest, PrefersPlanesThenTablesThenBytes) {
  const auto format = [](int weight_bits, int activation_bits) {
    return SelectConvKernel(Isa::kAvx512Vnni, weight_bits, activation_bits, /*depth=*/64,
                            /*output_pixels=*/64)
        .format;
  };
  if (format(1, 1) != &conv_formats::kSignPlanes) {
    GTEST_SKIP() << "this build has no kernels for AVX-512";
  }
  EXPECT_EQ(format(1, 2), &conv_formats::kSignPlanes);
  EXPECT_EQ(format(2, 2), &conv_formats::kSignPlanes);
  EXPECT_EQ(format(3, 1), &conv_formats::kSignPlanes);
  EXPECT_EQ(format(2, 3), &conv_formats::kSignTables);
  EXPECT_EQ(format(1, 5), &conv_formats::kSignTables);
  EXPECT_EQ(format(1, 6), &conv_formats::kBytes);
  EXPECT_EQ(format(3, 2), &conv_formats::kBytes);
}

// Look-ups take twice the time of unpacked codes where every weight is read once.
TEST(SelectConvKernelTest, PrefersUnpackedCodesToTablesForOnePixel) {
  const auto format = [](int weight_bits, int activation_bits) {
    return SelectConvKernel(Isa::kAvx512Vnni, weight_bits, activation_bits, /*depth=*/512,
                            /*output_pixels=*/1)
        .format;
  };
  if (format(1, 1) != &conv_formats::kSignPlanes) {
    GTEST_SKIP() << "this build has no kernels for AVX-512";
  }
  EXPECT_EQ(format(2, 4), &conv_formats::kDense2);
  EXPECT_EQ(format(1, 4), &conv_formats::kDense2);
  EXPECT_EQ(format(2, 8), &conv_formats::kDense2);
  EXPECT_EQ(format(3, 8), &conv_formats::kDense4);
}

// With fewer steps between widenings a row is no faster than the wider sums behind it.
TEST(ConvKernelTableTest, NarrowSumsHoldSeveralStepsOfTheWidestOperands) {
  for (const ConvKernel& kernel : AllConvKernels()) {
    const bool fields = kernel.format->way.starts_with("fields");
    if (fields || kernel.format == &conv_formats::kBytesInt16) {
      EXPECT_GE(kernel.format->widen_period(kernel.max_weight_bits, kernel.max_activation_bits),
                fields ? 8 : 4)
          << kernel.name;
    }
  }
}

}  // namespace
}  // namespace bitpilot
