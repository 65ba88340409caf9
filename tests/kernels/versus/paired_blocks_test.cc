#include "kernels/versus/paired_blocks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <vector>

#include "kernels/versus/found_difference.h"

namespace bitpilot {
namespace {

// A block a ratio, of 24 rounds each, in alternating order.
std::vector<PairedBlock> Blocks(std::initializer_list<double> ratios) {
  std::vector<PairedBlock> blocks;
  for (const double ratio : ratios) {
    const bool second_ran_first = blocks.size() % 2 == 1;
    blocks.push_back({std::vector<double>(24, 1000.0 * ratio), std::vector<double>(24, 1000.0),
                      second_ran_first});
  }
  return blocks;
}

// Within either order the blocks are 0.004 apart: their sums of squares are 2 * 2 * 0.004^2, with 4
// degrees of freedom (t = 2.7764), so the mean of the two means has a standard error of 0.001633.
TEST(ComparePairsTest, TakesTheBlocksIntervalWhereItIsWiderThanTheRounds) {
  const PairVerdict verdict = ComparePairs(Blocks({1.012, 1.014, 1.016, 1.018, 1.020, 1.022}));
  EXPECT_EQ(verdict.num_rounds, 144);
  EXPECT_DOUBLE_EQ(verdict.ratio(), 1.017);
  EXPECT_NEAR(verdict.low, 1.017 - 2.7764 * 0.001633, 1e-5);
  EXPECT_NEAR(verdict.high, 1.017 + 2.7764 * 0.001633, 1e-5);
  EXPECT_EQ(verdict.rounds.speed, Speed::kSlower);
}

// 120 of 144 rounds are slower by 4 %, but one block shows that a block may be the other way: sums of
// squares 0.02 / 3, standard error 0.01667.
TEST(ComparePairsTest, SaysNothingWhereBlocksDisagree) {
  const PairVerdict verdict = ComparePairs(Blocks({1.04, 1.04, 0.94, 1.04, 1.04, 1.04}));
  EXPECT_DOUBLE_EQ(verdict.ratio(), 1.04);
  EXPECT_LT(verdict.rounds.p_value, 1e-9);
  EXPECT_NEAR(verdict.low, 1.04 - 2.7764 * 0.016667, 1e-5);
  EXPECT_EQ(verdict.rounds.speed, Speed::kNoDifference);
}

// Whoever runs second is slower by 0.8 %, in every block.
TEST(ComparePairsTest, DoesNotTakeTheOrderForADifference) {
  const PairVerdict same = ComparePairs(Blocks({0.992, 1.008, 0.992, 1.008, 0.992, 1.008}));
  EXPECT_DOUBLE_EQ(same.ratio(), 1.0);
  EXPECT_EQ(same.rounds.speed, Speed::kNoDifference);
  const PairVerdict slower = ComparePairs(Blocks({1.012, 1.028, 1.012, 1.028, 1.012, 1.028}));
  EXPECT_DOUBLE_EQ(slower.ratio(), 1.02);
  EXPECT_DOUBLE_EQ(slower.low, 1.012);
  EXPECT_EQ(slower.rounds.speed, Speed::kSlower);
}

TEST(ComparePairsTest, TakesTheRangeOfBlocksOfOneOrder) {
  std::vector<PairedBlock> blocks = Blocks({1.012, 1.014, 1.016, 1.018, 1.020, 1.022});
  for (PairedBlock& block : blocks) block.second_ran_first = false;
  EXPECT_NEAR(ComparePairs(blocks).low, 1.012, 1e-12);
}

TEST(ComparePairsTest, TakesTheRoundsIntervalWhereBlocksAgree) {
  std::vector<PairedBlock> blocks = Blocks({1.0, 1.0, 1.0, 1.0, 1.0, 1.0});
  for (PairedBlock& block : blocks) {
    for (std::size_t i = 0; i < 24; i += 2) block.first[i] = 900.0;
  }
  const PairVerdict verdict = ComparePairs(blocks);
  EXPECT_DOUBLE_EQ(verdict.ratio(), 0.95);
  EXPECT_DOUBLE_EQ(verdict.low, 0.9);
  EXPECT_DOUBLE_EQ(verdict.high, 1.0);
}

TEST(JudgeVersusTest, SaysWhichIsFaster) {
  const std::vector<PairedBlock> same = Blocks({1.0, 1.0, 1.0, 1.0, 1.0, 1.0});
  const auto speed = [&](double ratio) {
    return JudgeVersus(same, Blocks({ratio, ratio, ratio, ratio, ratio, ratio})).speed;
  };
  EXPECT_EQ(speed(0.7), Speed::kFaster);
  EXPECT_EQ(speed(1.02), Speed::kSlower);
  EXPECT_EQ(speed(1.005), Speed::kNoDifference);
}

TEST(JudgeVersusTest, HasNoVerdictWhereTwoCopiesAreToldApart) {
  const std::vector<PairedBlock> apart = Blocks({1.02, 1.02, 1.02, 1.02, 1.02, 1.02});
  const VersusVerdict verdict = JudgeVersus(apart, Blocks({0.5, 0.5, 0.5, 0.5, 0.5, 0.5}));
  EXPECT_FALSE(verdict.speed);
  EXPECT_EQ(verdict.different.rounds.speed, Speed::kFaster);
}

// Rounds alone would find 1.1 %, as most of them are so near to 1. But blocks of one order are 0.004
// apart, as in the first test above: sums of squares 6.4e-5, of both comparisons with 8 degrees of freedom.
TEST(JudgeVersusTest, StatesWhatTheBlocksOfBothComparisonsFind) {
  const std::vector<PairedBlock> apart = Blocks({1.004, 0.996, 1.008, 0.992, 1.0, 1.0});
  const std::vector<PairedBlock> alike = Blocks({1.0, 1.0, 1.0, 1.0, 1.0, 1.0});
  const double standard_error = std::sqrt(6.4e-5 / 8.0) * 0.5 * std::sqrt(2.0 / 3.0);
  const auto found = SmallestDifferenceFound(BlockScatter{standard_error, 8, 4});
  ASSERT_TRUE(found);
  EXPECT_GT(*found, 0.011);
  EXPECT_EQ(JudgeVersus(apart, alike).smallest_difference, found);
  EXPECT_EQ(JudgeVersus(alike, apart).smallest_difference, found);
}

TEST(JudgeVersusTest, StatesWhatTheRoundsOfTwoCopiesFind) {
  const VersusVerdict verdict =
      JudgeVersus(Blocks({1.0, 1.0, 1.0, 1.0, 1.0, 1.0}), Blocks({1.0, 1.0}));
  EXPECT_EQ(verdict.smallest_difference, 0.011);
}

}  // namespace
}  // namespace bitpilot
