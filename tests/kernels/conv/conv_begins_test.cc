#include "kernels/conv/conv_begins.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

namespace bitpilot {
namespace {

// Three steps of one block; channel 1 has weights 7, 7, -3 and 1 in every step, the others none.
std::vector<std::uint8_t> ThreeSteps() {
  std::vector<std::uint8_t> weights(3 * kStepBytes);
  const std::array<std::int8_t, 4> codes = {7, 7, -3, 1};
  for (int step = 0; step < 3; ++step) {
    std::memcpy(weights.data() + step * kStepBytes + 4, codes.data(), codes.size());
  }
  return weights;
}

std::int32_t Sum(const std::vector<std::uint8_t>& begins, int channel) {
  std::int32_t sum = 0;
  std::memcpy(&sum, begins.data() + 4 * channel, sizeof(sum));
  return sum;
}

std::int16_t Begin(const std::vector<std::uint8_t>& begins, int group, int channel, int pair) {
  std::int16_t begin = 0;
  std::memcpy(&begin, begins.data() + (1 + group) * kStepBytes + 4 * channel + 2 * pair,
              sizeof(begin));
  return begin;
}

TEST(PackBeginsTest, IsEmptyWhereAllStepsFitFromZero) {
  const std::vector<std::uint8_t> weights = ThreeSteps();
  const std::array<DepthRun, 2> runs = {DepthRun{.num_steps = 3}, DepthRun{}};
  EXPECT_TRUE(PackBegins(runs, weights.data(), 3 * kStepBytes, 1, 4, 8).empty());
}

// The middle of 8-bit codes is 128. Pairs add up to 14 and -2 a step.
TEST(PackBeginsTest, TakesTheMiddleOutOfEachGroup) {
  const std::vector<std::uint8_t> weights = ThreeSteps();
  const std::array<DepthRun, 3> runs = {DepthRun{.num_steps = 2, .widen = true},
                                        DepthRun{.num_steps = 1}, DepthRun{}};
  const auto begins = PackBegins(runs, weights.data(), 3 * kStepBytes, 1, 7, 8);
  ASSERT_EQ(begins.size(), std::size_t{3 * kStepBytes});
  EXPECT_EQ(Begin(begins, 0, 1, 0), -128 * 28);
  EXPECT_EQ(Begin(begins, 0, 1, 1), 128 * 4);
  EXPECT_EQ(Begin(begins, 1, 1, 0), -128 * 14);
  EXPECT_EQ(Begin(begins, 1, 1, 1), 128 * 2);
  EXPECT_EQ(Sum(begins, 1), 128 * 3 * (14 - 2));
  EXPECT_EQ(Begin(begins, 0, 0, 0), 0);
  EXPECT_EQ(Sum(begins, 0), 0);
}

TEST(PackBeginsTest, LeavesOutSkippedSteps) {
  const std::vector<std::uint8_t> weights = ThreeSteps();
  const std::array<DepthRun, 2> runs = {DepthRun{.num_steps = 2, .skipped_steps = 1}, DepthRun{}};
  const auto begins = PackBegins(runs, weights.data(), 3 * kStepBytes, 1, 7, 8);
  ASSERT_EQ(begins.size(), std::size_t{2 * kStepBytes});
  EXPECT_EQ(Sum(begins, 1), 128 * 2 * (14 - 2));
}

}  // namespace
}  // namespace bitpilot
