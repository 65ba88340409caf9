#include "policies/pace.h"

#include <gtest/gtest.h>

#include <numbers>

#include "tests/policies/small_problem.h"

namespace bitpilot {
namespace {

class PaceTest : public testing::Test {
 protected:
  void Allow(int mini_batches) { view_.Observed(Conditions{{{"a", 1}}, {10, mini_batches}}); }
  void Spend(int batches) {
    const Advance advance{
        view_.next_ticket(), {{8, 8}, Origin::kRandom, "test"}, view_.latest(), {batches}, 0};
    ASSERT_TRUE(view_.Check(advance).ok());
    view_.Submitted(advance);
  }

  SearchProblem problem_ = SmallProblem();
  View view_{problem_};
};

// (1 + cos 60 degrees) / 2 = 3/4 after a third.
TEST_F(PaceTest, FallsByHalfACosineOverTheMiniBatchesSpent) {
  Allow(300);
  EXPECT_EQ(RateShareAt(view_, 0), 1.0);
  EXPECT_NEAR(RateShareAt(view_, 100), 0.75, 1e-15);
  EXPECT_EQ(RateShareAt(view_, 150), 0.5);
  EXPECT_EQ(RateShareAt(view_, 300), 0.0);
  EXPECT_EQ(RateShareAt(view_, 1000), 0.0);
}

TEST_F(PaceTest, BeginsWhereWhatWasSubmittedEndsAndTrainsNoMoreThanIsLeft) {
  Allow(300);
  Spend(100);
  EXPECT_EQ(PaceOf(view_, 50), (Pace{50, RateShareAt(view_, 100), 0.5}));
  EXPECT_EQ(PaceOf(view_, 500), (Pace{200, RateShareAt(view_, 100), 0.0}));
  EXPECT_EQ(PaceOf(view_, 500, /*ahead=*/50), (Pace{150, 0.5, 0.0}));
  EXPECT_EQ(PaceOf(view_, 500, /*ahead=*/200).batches, 0);
}

TEST_F(PaceTest, GoesFromATenthOfTheRateToZeroInAFinishedSearchThatIsExtended) {
  Allow(100);
  Spend(100);
  Allow(300);
  EXPECT_EQ(RateShareAt(view_, 0), 1.0);  // as it was
  EXPECT_EQ(RateShareAt(view_, 50), 0.5);
  EXPECT_EQ(RateShareAt(view_, 100), 0.1);
  EXPECT_EQ(RateShareAt(view_, 200), 0.05);
  EXPECT_EQ(RateShareAt(view_, 300), 0.0);
  EXPECT_EQ(PaceOf(view_, 50).rate_begin, 0.1);
}

TEST_F(PaceTest, GoesOnFromWhereItIsWhenASearchIsExtendedBeforeItsEnd) {
  Allow(100);
  Spend(50);
  Allow(100);  // other boards, same totals
  EXPECT_NEAR(RateShareAt(view_, 75), 0.5 - 0.25 * std::numbers::sqrt2, 1e-15);
  Allow(150);
  EXPECT_EQ(RateShareAt(view_, 50), 0.5);
  EXPECT_EQ(RateShareAt(view_, 100), 0.25);
  EXPECT_EQ(RateShareAt(view_, 150), 0.0);
  Spend(100);
  Allow(250);  // once more
  EXPECT_EQ(RateShareAt(view_, 150), 0.1);
  EXPECT_EQ(RateShareAt(view_, 200), 0.05);
}

}  // namespace
}  // namespace bitpilot
