#include "kernels/versus/found_difference.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitpilot {
namespace {

// The claim asks for a median more than 1 % from 1, and 1.010 is not more.
TEST(SmallestDifferenceFoundTest, IsJustAboveOnePercentWhereNothingScatters) {
  EXPECT_EQ(SmallestDifferenceFound(std::vector<double>(96, 1.0)), 0.011);
}

// Half of the rounds, both ways, say 1.05 and half 1 / 1.05. More than half must say more than 1.01:
// the others do from (1 + d) / 1.05 > 1.01 on, d > 0.0605.
TEST(SmallestDifferenceFoundTest, IsWhatBringsMoreThanHalfOfTheRoundsAboveOnePercent) {
  EXPECT_EQ(SmallestDifferenceFound(std::vector<double>(100, 1.05)), 0.061);
}

TEST(SmallestDifferenceFoundTest, CountsEachRatioBothWays) {
  const std::vector<double> slower(60, 1.03);
  const std::vector<double> faster(60, 1.0 / 1.03);
  EXPECT_EQ(SmallestDifferenceFound(slower), SmallestDifferenceFound(faster));
}

// Eight rounds must all say "slower" (2 / 2^8 = 0.008), and no eight rounds show that they do in 95 %
// of comparisons: not to say so is no size either.
TEST(SmallestDifferenceFoundTest, IsUnknownFromFewRounds) {
  EXPECT_FALSE(SmallestDifferenceFound(std::vector<double>{}));
  EXPECT_FALSE(SmallestDifferenceFound(std::vector<double>(7, 1.0)));
  EXPECT_FALSE(SmallestDifferenceFound(std::vector<double>(8, 1.0)));
}

TEST(SmallestDifferenceFoundTest, IsUnknownWhereNotEvenTwiceAsLongStandsOut) {
  EXPECT_FALSE(SmallestDifferenceFound(std::vector<double>(96, 10.0)));
}

// A single odd round in 96 moves no median.
TEST(SmallestDifferenceFoundTest, HardlyMindsASpike) {
  std::vector<double> rounds(96, 1.0);
  rounds[10] = 3.0;
  EXPECT_EQ(SmallestDifferenceFound(rounds), 0.011);
}

}  // namespace
}  // namespace bitpilot
