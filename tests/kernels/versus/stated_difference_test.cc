// Whether a difference of the size that a comparison states is found as often as it says, on machines whose
// blocks of rounds are apart for as long as they last. The seeds make every count the same each time.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "kernels/versus/found_difference.h"
#include "kernels/versus/paired_blocks.h"
#include "kernels/versus/versus.h"

namespace bitpilot {
namespace {

constexpr int kComparisons = 2'000;
constexpr int kRounds = 24;  // of a block

struct Machine {
  double rounds = 0.0;  // how much a round scatters, as a fraction
  double blocks = 0.0;  // by how much a whole block is off
};

class Comparer {
 public:
  Comparer(const Machine& machine, unsigned seed) : machine_(machine), random_(seed) {}

  // Of a network that takes `ratio` times as long as the other one.
  std::vector<PairedBlock> Compare(double ratio) {
    std::vector<PairedBlock> blocks;
    for (int i = 0; i < kVersusBlocks; ++i) {
      PairedBlock& block = blocks.emplace_back();
      block.second_ran_first = i % 2 == 1;
      const double level = 1000.0 * ratio * (1.0 + machine_.blocks * normal_(random_));
      for (int round = 0; round < kRounds; ++round) {
        block.first.push_back(level * (1.0 + machine_.rounds * normal_(random_)));
        block.second.push_back(1000.0 * (1.0 + machine_.rounds * normal_(random_)));
      }
    }
    return blocks;
  }

  // Of comparisons that give a verdict, how many find a network that is slower by what a comparison before
  // stated.
  double ShareThatFindsWhatIsStated() {
    int verdicts = 0;
    int found = 0;
    for (int i = 0; i < kComparisons; ++i) {
      const std::vector<PairedBlock> copies = Compare(1.0);
      const VersusVerdict stated = JudgeVersus(copies, Compare(1.0));
      if (!stated.smallest_difference) continue;
      const bool has_verdict = ComparePairs(Compare(1.0)).rounds.speed == Speed::kNoDifference;
      const Speed speed = ComparePairs(Compare(1.0 + *stated.smallest_difference)).rounds.speed;
      if (!has_verdict) continue;
      ++verdicts;
      if (speed == Speed::kSlower) ++found;
    }
    EXPECT_GT(verdicts, kComparisons * 9 / 10);
    return static_cast<double>(found) / verdicts;
  }

 private:
  const Machine machine_;
  std::mt19937 random_;
  std::normal_distribution<double> normal_;
};

// Four standard errors of a share of 0.95 in 2,000: 0.02.
TEST(StatedDifferenceTest, IsFoundAsOftenAsItSaysWhereBlocksAreApart) {
  for (const double blocks : {0.01, 0.03}) {
    const double share = Comparer({0.01, blocks}, 1).ShareThatFindsWhatIsStated();
    EXPECT_GT(share, kStatedPower - 0.02) << blocks;
    EXPECT_LT(share, kStatedPower + 0.02) << blocks;
  }
}

TEST(StatedDifferenceTest, IsFoundAsOftenAsItSaysWhereOnlyRoundsScatter) {
  for (const double rounds : {0.01, 0.03}) {
    const double share = Comparer({rounds, 0.0}, 2).ShareThatFindsWhatIsStated();
    EXPECT_GT(share, kStatedPower - 0.02) << rounds;
  }
}

// Known blocks would be apart by nothing: all that is asked for is the claim's 1 %.
TEST(StatedDifferenceTest, IsJustAboveOnePercentWhereBlocksAgree) {
  EXPECT_EQ(SmallestDifferenceFound(BlockScatter{0.0, 8, 4}), 0.011);
}

// As if the scatter was known (a thousand degrees of freedom for either): a claim then needs 1.96 standard
// errors, and finds 1.645 more in 95 of 100. Of 0.01 each that is 0.03605, and 0.0374 as a slower network's
// ratio scatters by as much more.
TEST(StatedDifferenceTest, IsTheTextbooksWhereScatterIsKnown) {
  const auto found = SmallestDifferenceFound(BlockScatter{0.01, 1000, 1000});
  ASSERT_TRUE(found);
  EXPECT_NEAR(*found, 0.0375, 0.0015);
}

TEST(StatedDifferenceTest, IsLargerTheLessIsKnownOfTheScatter) {
  const auto of = [](int known_by) {
    return SmallestDifferenceFound(BlockScatter{0.01, known_by, 4}).value();
  };
  EXPECT_GT(of(4), of(8));
  EXPECT_GT(of(8), of(64));
  EXPECT_FALSE(SmallestDifferenceFound(BlockScatter{0.5, 8, 4})) << "not even twice as long";
}

}  // namespace
}  // namespace bitpilot
