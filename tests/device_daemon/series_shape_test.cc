#include "device_daemon/measurement/series_shape.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitpilot {
namespace {

using Windows = std::vector<double>;

TEST(FindTrendTest, MeasuresARampOverTheWholeSeries) {
  const Windows ramp{100, 101, 102, 103, 104, 105, 106, 107, 108};
  const auto trend = FindTrend(ramp, 0.05);
  ASSERT_TRUE(trend);
  EXPECT_NEAR(trend->change, 8.0 / 104.0, 1e-12);
  EXPECT_NEAR(trend->misfit, 0.0, 1e-9);
}

TEST(FindTrendTest, LeavesOutWhatIsSmallerThanTheLimit) {
  const Windows ramp{100, 101, 102, 103, 104, 105, 106, 107, 108};
  EXPECT_FALSE(FindTrend(ramp, 0.08));
}

// Kendall's S of 6 pairs up, 0 down over 4 values: z = 5 / sqrt(8.67) = 1.7.
TEST(FindTrendTest, NeedsMoreThanAFewWindows) {
  EXPECT_FALSE(FindTrend(Windows{100, 110, 120, 130}, 0.01));
}

TEST(FindTrendTest, IsNotMisledByOneExtremeWindow) {
  EXPECT_FALSE(FindTrend(Windows{100, 101, 100, 101, 100, 101, 100, 101, 900}, 0.01));
}

TEST(FindStepTest, NamesWhereAndHowMuch) {
  const Windows step{100, 101, 100, 101, 106, 105, 106, 105, 106};
  const auto found = FindStep(step, 0.025);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->after, 4U);
  EXPECT_NEAR(found->change, 5.5 / 105.0, 1e-12);
}

TEST(FindStepTest, FindsAStepDown) {
  const auto found = FindStep(Windows{106, 105, 106, 105, 100, 101, 100, 101, 100}, 0.025);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->after, 4U);
  EXPECT_LT(found->change, -0.04);
}

// One spike among the three windows before the step is a third of them.
TEST(FindStepTest, IsNotMaskedByASpikeOnTheFasterSide) {
  const auto up = FindStep(
      Windows{100, 107, 100, 105, 105, 106, 105, 105, 106, 105, 105, 106, 105, 105, 106}, 0.025);
  ASSERT_TRUE(up);
  EXPECT_EQ(up->after, 3U);
  const auto down = FindStep(
      Windows{105, 105, 106, 100, 100, 101, 107, 100, 101, 100, 106, 101, 100, 123, 101}, 0.025);
  ASSERT_TRUE(down);
  EXPECT_EQ(down->after, 3U);
}

TEST(FindStepTest, IsNotMaskedByASpikeOnTheSlowerSide) {
  EXPECT_TRUE(FindStep(Windows{100, 101, 100, 100, 105, 150, 105, 106, 105}, 0.025));
}

TEST(FindStepTest, DoesNotTakeSpikesForAStep) {
  EXPECT_FALSE(FindStep(
      Windows{107, 100, 120, 100, 101, 100, 100, 101, 100, 107, 100, 101, 100, 101, 100}, 0.025));
}

TEST(FindStepTest, WantsThreeWindowsOnEitherSide) {
  EXPECT_FALSE(FindStep(Windows{100, 101, 100, 101, 100, 101, 100, 106, 106}, 0.025));
}

TEST(FindStepTest, WantsMoreThanTheScatterAround) {
  EXPECT_FALSE(FindStep(Windows{100, 104, 97, 103, 103, 107, 100, 106, 102}, 0.025));
}

TEST(FindTwoSpeedsTest, CountsTheSlowWindowsInAnyOrder) {
  const Windows windows{100, 115, 101, 100, 100, 116, 101, 100, 115};
  const auto found = FindTwoSpeeds(windows, 0.05);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->slow_windows, 3U);
  EXPECT_NEAR(found->slower_by, 0.15, 1e-12);
}

TEST(FindTwoSpeedsTest, CountsThemWhenTheyAreTheMajority) {
  const auto found = FindTwoSpeeds(Windows{100, 115, 115, 116, 115, 116, 101, 116, 115}, 0.05);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->slow_windows, 7U);
}

TEST(FindTwoSpeedsTest, ForgivesOneOddWindow) {
  EXPECT_FALSE(FindTwoSpeeds(Windows{100, 115, 101, 100, 100, 101, 101, 100, 100}, 0.05));
}

// Two of 31 windows are less than a tenth: the median does not notice them.
TEST(FindTwoSpeedsTest, ForgivesAFewOddWindowsOfMany) {
  Windows windows(31, 100.0);
  windows[3] = windows[20] = 115.0;
  EXPECT_FALSE(FindTwoSpeeds(windows, 0.05));
  windows[25] = 115.0;
  EXPECT_TRUE(FindTwoSpeeds(windows, 0.05));
}

TEST(FindTwoSpeedsTest, WantsAGapAndNotOnlyAWideScatter) {
  EXPECT_FALSE(FindTwoSpeeds(Windows{100, 104, 108, 112, 116, 120, 124, 128, 132}, 0.05));
}

// 110 and 150 are no second speed: they are further from each other than from the rest.
TEST(FindTwoSpeedsTest, DoesNotTakeSpikesForASpeed) {
  EXPECT_FALSE(FindTwoSpeeds(Windows{100, 110, 101, 100, 100, 150, 101, 100, 100}, 0.05));
  EXPECT_TRUE(FindTwoSpeeds(Windows{100, 110, 101, 100, 100, 112, 101, 100, 100}, 0.05));
}

TEST(SeriesShapeTest, TakesTheShortestSeries) {
  for (const Windows& windows : {Windows{}, Windows{7}, Windows{7, 8}, Windows{7, 8, 9}}) {
    EXPECT_FALSE(FindTrend(windows, 0.01));
    EXPECT_FALSE(FindStep(windows, 0.01));
    EXPECT_FALSE(FindTwoSpeeds(windows, 0.01));
  }
}

}  // namespace
}  // namespace bitpilot
