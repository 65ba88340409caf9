#include "policies/pareto.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitpilot {
namespace {

TEST(DominatesTest, NeedsOneObjectiveToBeBetterAndNoneWorse) {
  EXPECT_TRUE(Dominates({0.1, 0.5}, {0.2, 0.5}));
  EXPECT_TRUE(Dominates({0.1, 0.4}, {0.1, 0.5}));
  EXPECT_FALSE(Dominates({0.1, 0.5}, {0.1, 0.5}));
  EXPECT_FALSE(Dominates({0.1, 0.6}, {0.2, 0.5}));
}

TEST(ParetoFrontTest, KeepsWhatNothingDominatesByAscendingLatency) {
  const std::vector<Objectives> points = {{0.10, 1.0}, {0.30, 0.5},
                                          {0.20, 0.7}, {0.20, 0.8},  // the last one is dominated
                                          {0.30, 0.5},               // equal to the second
                                          {0.40, 0.5}};              // as fast, worse
  EXPECT_EQ(ParetoFront(points), (std::vector<std::size_t>{1, 2, 0}));
}

TEST(ParetoFrontTest, OfNothingIsEmpty) { EXPECT_TRUE(ParetoFront({}).empty()); }

// Two rectangles below the corner (0.5, 1.5): the fast point's 0.9 x 0.2 and, below its error rate
// of 0.3, the accurate point's 0.5 x 0.2.
TEST(HypervolumeTest, EqualsTheAreaComputedByHand) {
  const std::vector<Objectives> points = {{0.1, 1.0}, {0.3, 0.6}};
  EXPECT_DOUBLE_EQ(Hypervolume(points), 0.9 * 0.2 + 0.5 * 0.2);
}

TEST(HypervolumeTest, IgnoresDominatedAndRepeatedPoints) {
  const std::vector<Objectives> front = {{0.1, 1.0}, {0.3, 0.6}};
  const std::vector<Objectives> more = {
      {0.1, 1.0}, {0.35, 0.9}, {0.3, 0.6}, {0.3, 0.6}, {0.1, 1.2}};
  EXPECT_DOUBLE_EQ(Hypervolume(more), Hypervolume(front));
}

TEST(HypervolumeTest, CountsPointsOutsideTheReferenceBoxAsNothing) {
  const std::vector<Objectives> outside = {{0.5, 0.1}, {0.9, 0.1}, {0.0, 1.5}, {0.1, 2.0}};
  EXPECT_EQ(Hypervolume(outside), 0.0);
  EXPECT_EQ(Hypervolume({}), 0.0);
  // A collapsed but fast network must not hide the good one behind it.
  const std::vector<Objectives> mixed = {{0.9, 0.1}, {0.1, 1.0}};
  EXPECT_DOUBLE_EQ(Hypervolume(mixed), 0.5 * 0.4);
}

}  // namespace
}  // namespace bitpilot
