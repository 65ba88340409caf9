#include "kernels/runtime/conv_split.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace bitpilot {
namespace {

using Axis = ConvSplit::Axis;

constexpr std::int64_t kFewBytes = 36 * 1024;
constexpr std::int64_t kManyBytes = std::int64_t{1} << 20;

ConvSplit Plan(int rows, int blocks, std::int64_t weight_bytes, int num_threads) {
  return PlanConvSplit({.rows = rows, .blocks = blocks, .weight_bytes = weight_bytes}, num_threads);
}

TEST(ConvSplitTest, TakesRowsWhereWeightsStayCached) {
  const ConvSplit split = Plan(/*rows=*/56, /*blocks=*/4, kFewBytes, /*num_threads=*/2);
  EXPECT_EQ(split.axis, Axis::kRows);
  EXPECT_EQ(split.num_parts, 2);
  EXPECT_EQ(split.Rows(1).begin, 28);
  EXPECT_EQ(split.Rows(1).end, 56);
  EXPECT_EQ(split.Blocks(1).begin, 0);
  EXPECT_EQ(split.Blocks(1).end, 4);
}

TEST(ConvSplitTest, TakesBlocksWhereWeightsLeaveTheCache) {
  const ConvSplit split = Plan(/*rows=*/14, /*blocks=*/16, kManyBytes, /*num_threads=*/2);
  EXPECT_EQ(split.axis, Axis::kBlocks);
  EXPECT_EQ(split.Blocks(0).end, 8);
  EXPECT_EQ(split.Rows(0).begin, 0);
  EXPECT_EQ(split.Rows(0).end, 14);
}

// Of 7 rows one thread would have 4; of 60 blocks each has half.
TEST(ConvSplitTest, TakesBlocksWhereRowsAreFew) {
  EXPECT_EQ(Plan(7, 60, kFewBytes, 2).axis, Axis::kBlocks);
  EXPECT_EQ(Plan(1, 63, kFewBytes, 2).axis, Axis::kBlocks);
}

// Whatever the weights: one block is one thread's.
TEST(ConvSplitTest, TakesRowsWhereBlocksAreFew) {
  EXPECT_EQ(Plan(8, 1, kManyBytes, 2).axis, Axis::kRows);
}

TEST(ConvSplitTest, KeepsBlocksInPairsUnlessAThreadWouldHaveTooMany) {
  const ConvSplit pairs = Plan(1, 10, kFewBytes, 2);  // 3 and 2 pairs
  EXPECT_EQ(pairs.unit, 1);
  const ConvSplit many = Plan(1, 62, kFewBytes, 2);  // 16 and 15 pairs
  EXPECT_EQ(many.unit, 2);
  EXPECT_EQ(many.Blocks(0).end % 2, 0);
}

// Of 63 blocks, 8 a group, one has 32 and the other 31; of 10, there are two groups.
TEST(ConvSplitTest, KeepsGroupsOfBlocksTogether) {
  const ConvSplit many =
      PlanConvSplit({.blocks = 63, .group_blocks = 8, .weight_bytes = kManyBytes}, 2);
  EXPECT_EQ(many.Blocks(0).end, 32);
  EXPECT_EQ(many.Blocks(1).end, 63);
  const ConvSplit few = PlanConvSplit({.blocks = 10, .group_blocks = 8}, 3);
  EXPECT_EQ(few.num_parts, 2);
  EXPECT_EQ(few.Blocks(0).end, 8);
}

TEST(ConvSplitTest, HasNoMorePartsThanThereIsToShare) {
  EXPECT_EQ(Plan(2, 1, kFewBytes, 3).num_parts, 2);
  EXPECT_EQ(Plan(1, 1, kFewBytes, 3).num_parts, 1);
  EXPECT_EQ(Plan(1, 2, kFewBytes, 3).num_parts, 2);
}

TEST(ConvSplitTest, PartsCoverTheOutputOnce) {
  for (int rows = 1; rows <= 20; ++rows) {
    for (int blocks = 1; blocks <= 20; ++blocks) {
      for (const std::int64_t bytes : {kFewBytes, kManyBytes}) {
        for (int threads = 1; threads <= 5; ++threads) {
          const ConvSplit split = Plan(rows, blocks, bytes, threads);
          ASSERT_LE(split.num_parts, threads);
          std::int64_t covered = 0;
          for (int i = 0; i < split.num_parts; ++i) {
            const Share of_rows = split.Rows(i);
            const Share of_blocks = split.Blocks(i);
            ASSERT_LT(of_rows.begin, of_rows.end);
            ASSERT_LT(of_blocks.begin, of_blocks.end);
            covered +=
                std::int64_t{of_rows.end - of_rows.begin} * (of_blocks.end - of_blocks.begin);
          }
          ASSERT_EQ(covered, std::int64_t{rows} * blocks);
          EXPECT_EQ(split.Rows(split.num_parts - 1).end, rows);
          EXPECT_EQ(split.Blocks(split.num_parts - 1).end, blocks);
        }
      }
    }
  }
}

}  // namespace
}  // namespace bitpilot
