// The rules of kernels/conv/conv_kernels.inc: how many steps narrow sums hold, and which row is
// chosen.
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "kernels/conv/conv.h"

namespace bitpilot {
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
  for (const Isa limit : {Isa::kScalar, Isa::kScalarPopcnt, Isa::kSse4, Isa::kAvx2, Isa::kAvxVnni,
                          Isa::kAvx512Vnni, Isa::kAmx}) {
    for (int weight_bits = 1; weight_bits <= 8; ++weight_bits) {
      for (int activation_bits = 1; activation_bits <= 8; ++activation_bits) {
        const ConvKernel& kernel = SelectConvKernel(limit, weight_bits, activation_bits, 1, 4);
        EXPECT_TRUE(Allows(limit, kernel.isa));
        EXPECT_LE(weight_bits, kernel.max_weight_bits);
        EXPECT_LE(activation_bits, kernel.max_activation_bits);
        EXPECT_LE(BitProducts(kernel.operand, weight_bits, activation_bits),
                  kernel.max_bit_products);
      }
    }
  }
}

// A pass a plane of the activations and a magnitude bit of the weights.
TEST(BitProductsTest, CountSignsAndMagnitudesOfWeights) {
  EXPECT_EQ(BitProducts(ConvOperand::kSignPlanes, 1, 1), 1);
  EXPECT_EQ(BitProducts(ConvOperand::kSignPlanes, 2, 2), 2);
  EXPECT_EQ(BitProducts(ConvOperand::kSignPlanes, 8, 8), 56);
  EXPECT_EQ(BitProducts(ConvOperand::kPlanes64, 2, 2), 4);
}

// Up to two passes over planes, then up to two look-ups, then dot products of bytes.
TEST(SelectConvKernelTest, PrefersPlanesThenTablesThenBytes) {
  const auto operand = [](int weight_bits, int activation_bits) {
    return SelectConvKernel(Isa::kAvx512Vnni, weight_bits, activation_bits, /*depth=*/64,
                            /*output_pixels=*/64)
        .operand;
  };
  if (operand(1, 1) != ConvOperand::kSignPlanes) {
    GTEST_SKIP() << "this build has no kernels for AVX-512";
  }
  EXPECT_EQ(operand(1, 2), ConvOperand::kSignPlanes);
  EXPECT_EQ(operand(2, 2), ConvOperand::kSignPlanes);
  EXPECT_EQ(operand(3, 1), ConvOperand::kSignPlanes);
  EXPECT_EQ(operand(2, 3), ConvOperand::kSignTables);
  EXPECT_EQ(operand(1, 5), ConvOperand::kSignTables);
  EXPECT_EQ(operand(1, 6), ConvOperand::kBytes);
  EXPECT_EQ(operand(3, 2), ConvOperand::kBytes);
}

// Look-ups take twice the time of unpacked codes where every weight is read once.
TEST(SelectConvKernelTest, PrefersUnpackedCodesToTablesForOnePixel) {
  const auto operand = [](int weight_bits, int activation_bits) {
    return SelectConvKernel(Isa::kAvx512Vnni, weight_bits, activation_bits, /*depth=*/512,
                            /*output_pixels=*/1)
        .operand;
  };
  if (operand(1, 1) != ConvOperand::kSignPlanes) {
    GTEST_SKIP() << "this build has no kernels for AVX-512";
  }
  EXPECT_EQ(operand(2, 4), ConvOperand::kDense2);
  EXPECT_EQ(operand(1, 4), ConvOperand::kDense2);
  EXPECT_EQ(operand(2, 8), ConvOperand::kDense2);
  EXPECT_EQ(operand(3, 8), ConvOperand::kDense4);
}

// With fewer steps between widenings a row is no faster than the wider sums behind it.
TEST(ConvKernelTableTest, NarrowSumsHoldSeveralStepsOfTheWidestOperands) {
  for (const ConvKernel& kernel : AllConvKernels()) {
    if (kernel.operand == ConvOperand::kFields) {
      EXPECT_GE(
          FieldPeriod(kernel.accumulator_bits, kernel.max_weight_bits, kernel.max_activation_bits),
          8)
          << kernel.name;
    } else if (kernel.accumulator_bits == 16) {
      EXPECT_GE(Int16Period(kernel.max_weight_bits, kernel.max_activation_bits), 4) << kernel.name;
    }
  }
}

}  // namespace
}  // namespace bitpilot
