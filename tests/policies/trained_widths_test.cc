#include "policies/trained_widths.h"

#include <gtest/gtest.h>

namespace bitpilot {
namespace {

TEST(TrainedWidthsTest, SharesWhatOwnMiniBatchesOutnumberOthersBy) {
  const TrainedWidths start;
  EXPECT_EQ(start.OwnShare({8, 8}), 1.0);
  const TrainedWidths narrow = start.After({2, 2}, 30);
  EXPECT_EQ(narrow.OwnShare({2, 2}), 1.0);
  EXPECT_EQ(narrow.OwnShare({8, 8}), 0.0);
  EXPECT_EQ(narrow.OwnShare({2, 8}), 0.5);
  // 10 of 40 at 8 bits: others outnumber them. 30 of 40 at 2: by 20.
  const TrainedWidths mixed = narrow.After({8, 2}, 10);
  EXPECT_EQ(mixed.OwnShare({8, 2}), 0.5);
  EXPECT_EQ(mixed.OwnShare({2, 2}), 0.75);
  EXPECT_EQ(mixed.OwnShare({4, 4}), 0.0);
}

TEST(TrainedWidthsTest, ForgetsNothingAndCountsNothingThatDidNotTrain) {
  const TrainedWidths place = TrainedWidths().After({4}, 5).After({8}, 3).After({4}, 4);
  EXPECT_EQ(place.OwnShare({4}), 0.5);  // 9 of 12
  EXPECT_EQ(place.After({8}, 0).OwnShare({4}), 0.5);
  EXPECT_EQ(TrainedWidths().After({4}, 0).OwnShare({8}), 1.0);
}

}  // namespace
}  // namespace bitpilot
