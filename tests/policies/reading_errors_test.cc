#include "policies/reading_errors.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bitpilot {
namespace {

TEST(ReadingErrorsTest, BeginWithWhatIsKnownBeforeAnyReading) {
  EXPECT_DOUBLE_EQ(ReadingErrors().expected(), 0.012);
}

TEST(ReadingErrorsTest, LetTheFirstReadingCountAsAFifth) {
  ReadingErrors errors;
  EXPECT_EQ(errors.Take(0.002), 0.002);
  // (4 * 144 + 4) / 5 = 116, in units of 1e-6.
  EXPECT_NEAR(errors.expected(), std::sqrt(116e-6), 1e-15);
  errors.Take(0.05);  // (580 + 2500) / 6
  EXPECT_NEAR(errors.expected(), std::sqrt(3080e-6 / 6.0), 1e-15);
}

TEST(ReadingErrorsTest, ComeToTheMeanSquareOfManyReadings) {
  ReadingErrors errors;
  for (int i = 0; i < 20'000; ++i) errors.Take(i % 2 == 0 ? 0.03 : 0.04);
  EXPECT_NEAR(errors.expected(), std::sqrt(0.5 * (0.0009 + 0.0016)), 1e-5);
}

TEST(ReadingErrorsTest, TakeAnErrorOfZeroForOneThatIsNotKnown) {
  ReadingErrors errors;
  EXPECT_DOUBLE_EQ(errors.Take(0.0), 0.012);
  EXPECT_DOUBLE_EQ(errors.expected(), 0.012);
  errors.Take(0.002);
  EXPECT_NEAR(errors.Take(0.0), std::sqrt(116e-6), 1e-15);
  EXPECT_NEAR(errors.expected(), std::sqrt(116e-6), 1e-15);
}

}  // namespace
}  // namespace bitpilot
