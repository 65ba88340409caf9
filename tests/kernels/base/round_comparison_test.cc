#include "kernels/base/round_comparison.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitpilot {
namespace {

TEST(SignTestPValueTest, EqualsTheBinomialTails) {
  EXPECT_DOUBLE_EQ(SignTestPValue(0, 0), 1.0);
  EXPECT_DOUBLE_EQ(SignTestPValue(4, 4), 1.0);
  EXPECT_DOUBLE_EQ(SignTestPValue(0, 6), 2.0 / 64);
  EXPECT_DOUBLE_EQ(SignTestPValue(9, 1), 2.0 * (1 + 10) / 1024);
  EXPECT_DOUBLE_EQ(SignTestPValue(1, 9), SignTestPValue(9, 1));
}

// The machine becomes 40 % slower; the candidate stays 2 % faster.
TEST(CompareRoundsTest, SeesThroughADriftThatBothShare) {
  std::vector<double> candidate;
  std::vector<double> reference;
  for (int round = 0; round < 21; ++round) {
    reference.push_back(100.0 + 2.0 * round);
    candidate.push_back(0.98 * reference.back());
  }
  const RoundComparison comparison = CompareRounds(candidate, reference);
  EXPECT_EQ(comparison.speed, Speed::kFaster);
  EXPECT_NEAR(comparison.ratio.median, 0.98, 1e-12);
  EXPECT_EQ(comparison.rounds_faster, 21);
  EXPECT_EQ(comparison.rounds_slower, 0);
  EXPECT_EQ(CompareRounds(reference, candidate).speed, Speed::kSlower);
}

// 17 of 21 rounds: p = 0.0072. Alone that is a difference; as one of two comparisons it is not.
TEST(CompareRoundsTest, AsksForMoreWhenMoreIsCompared) {
  const std::vector<double> reference(21, 100.0);
  std::vector<double> candidate(21, 98.0);
  for (int round = 0; round < 4; ++round) candidate[static_cast<std::size_t>(4 * round)] = 101.0;
  EXPECT_NEAR(CompareRounds(candidate, reference).p_value, 0.0072, 0.0001);
  EXPECT_EQ(CompareRounds(candidate, reference).speed, Speed::kFaster);
  EXPECT_EQ(CompareRounds(candidate, reference, 2).speed, Speed::kNoDifference);
}

TEST(CompareRoundsTest, TakesTiesForNeither) {
  const std::vector<double> times(31, 100.0);
  const RoundComparison comparison = CompareRounds(times, times);
  EXPECT_EQ(comparison.speed, Speed::kNoDifference);
  EXPECT_DOUBLE_EQ(comparison.p_value, 1.0);
  EXPECT_EQ(ToString(comparison.speed), "no difference");
}

// Two copies of one network differ by so much, always the same way.
TEST(CompareRoundsTest, CallsNoDifferenceWhatTwoCopiesMayShow) {
  const std::vector<double> reference(40, 1000.0);
  const RoundComparison comparison = CompareRounds(std::vector<double>(40, 992.0), reference);
  EXPECT_LT(comparison.p_value, 1e-9);
  EXPECT_EQ(comparison.speed, Speed::kNoDifference);
  EXPECT_EQ(CompareRounds(std::vector<double>(40, 1011.0), reference).speed, Speed::kSlower);
}

TEST(CompareRoundsTest, NeverClaimsFromSevenRounds) {
  const std::vector<double> fast(7, 1.0);
  const std::vector<double> slow(7, 2.0);
  EXPECT_EQ(CompareRounds(fast, slow).speed, Speed::kNoDifference);
}

TEST(RatioOfRoundsTest, IgnoresRoundsThatOnlyOneHas) {
  const std::vector<double> candidate{1, 1, 1, 9, 9};
  const std::vector<double> reference{2, 2, 2};
  EXPECT_DOUBLE_EQ(RatioOfRounds(candidate, reference).median, 0.5);
}

TEST(TimesToCompareTest, AreCpuTimesWhereEveryWindowHasOne) {
  const std::vector<double> wall{3, 3, 3};
  const std::vector<double> cpu{1, 2, 3};
  EXPECT_EQ(TimesToCompare(wall, cpu).data(), cpu.data());
  EXPECT_EQ(TimesToCompare(wall, std::vector<double>{1, 2}).data(), wall.data());
  EXPECT_EQ(TimesToCompare(wall, std::vector<double>{1, 0, 3}).data(), wall.data());
  EXPECT_EQ(TimesToCompare(wall, {}).data(), wall.data());
}

}  // namespace
}  // namespace bitpilot
