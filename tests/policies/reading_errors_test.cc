#include "policies/reading_errors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bitpilot {
namespace {

TEST(ReadingErrorsTest, BeginWithWhatIsKnownBeforeAnyReading) {
  EXPECT_DOUBLE_EQ(ReadingErrors().Expected(0.03), 0.012);
  // Four times the variance at four times the excess and what is added to it: .17 = 4 * .0425.
  EXPECT_DOUBLE_EQ(ReadingErrors().Expected(0.17 - 0.0125), 0.024);
  EXPECT_DOUBLE_EQ(ReadingErrors().Expected(-0.03), 0.012);
}

TEST(ReadingErrorsTest, LetTheFirstReadingCountAsAFifthWhereItIsLikeTheOnesBefore) {
  ReadingErrors errors;
  EXPECT_EQ(errors.Take(0.03, 0.002), 0.002);
  // (4 * 144 + 4) / 5 = 116, in units of 1e-6.
  EXPECT_NEAR(errors.Expected(0.03), std::sqrt(116e-6), 1e-15);
}

// A single reading near 8 bit, which is known almost exactly, says little of networks of 2 bits.
TEST(ReadingErrorsTest, StayLargeForNarrowWidthsAfterAReadingOfWideOnes) {
  ReadingErrors errors;
  errors.Take(0.0, 0.004);
  // (4 * 144 + 16) / (4 * .0425 + .0125) = 592 / .1825, times .4125.
  EXPECT_NEAR(errors.Expected(0.4), std::sqrt(592e-6 / 0.1825 * 0.4125), 1e-15);
  EXPECT_GT(errors.Expected(0.4), 0.03);
}

TEST(ReadingErrorsTest, ComeToTheErrorsOfManyReadings) {
  ReadingErrors errors;
  for (int i = 0; i < 20'000; ++i) {
    const double excess = i % 2 == 0 ? 0.0875 : 0.3875;
    errors.Take(excess, std::sqrt(0.01 * (excess + 0.0125)));
  }
  EXPECT_NEAR(errors.Expected(0.0875), std::sqrt(0.001), 1e-5);
  EXPECT_NEAR(errors.Expected(0.3875), std::sqrt(0.004), 1e-5);
}

TEST(ReadingErrorsTest, TakeAnErrorOfZeroForOneThatIsNotKnown) {
  ReadingErrors errors;
  EXPECT_DOUBLE_EQ(errors.Take(0.03, 0.0), 0.012);
  EXPECT_DOUBLE_EQ(errors.Expected(0.03), 0.012);
  errors.Take(0.03, 0.002);
  EXPECT_NEAR(errors.Take(0.03, 0.0), std::sqrt(116e-6), 1e-15);
  EXPECT_NEAR(errors.Expected(0.03), std::sqrt(116e-6), 1e-15);
}

}  // namespace
}  // namespace bitpilot
