// A comparison outside a study, on a board that is disturbed now and then.
#include "agent/results/board_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/results/repeated_comparison.h"
#include "kernels/base/standard_networks.h"
#include "tests/agent/scripted_board.h"

namespace bitpilot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class BoardComparisonTest : public testing::Test {
 protected:
  Result<BoardComparison> Compare(ScriptedBoard& board, bool energy = false) {
    MeasureJob job;
    job.networks = {&network_, &network_};
    job.tier = Tier::kAudit;
    job.energy = energy;
    return CompareOnBoard(board, job,
                          [this](const std::string& text) { notices_.push_back(text); });
  }

  const Topology topology_ = StandardTopology("resnet8").value();
  const Network network_ = RandomNetwork(topology_, UniformAssignment(topology_, 8, 8), 1);
  std::vector<std::string> notices_;
};

TEST_F(BoardComparisonTest, MeasuresOnceIfNothingDisturbs) {
  ScriptedBoard board({kFine});
  const Result<BoardComparison> result = Compare(board);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->comparisons(), 1);
  EXPECT_TRUE(notices_.empty());
}

TEST_F(BoardComparisonTest, MeasuresAgainAfterADisturbance) {
  ScriptedBoard board({kDisturbed, kFine});
  const Result<BoardComparison> result = Compare(board);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->comparisons(), 2);
  EXPECT_EQ(result->measurement.status, kFine);
  EXPECT_EQ(result->measurement.networks.front().latency_median_ns, 102'000.0);
  EXPECT_THAT(result->disturbances, ElementsAre("network 0: latency stepped by 5.0 %"));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("measuring it again, 2 of at most 3")));
}

TEST_F(BoardComparisonTest, StaysNoisyAfterThreeDisturbances) {
  ScriptedBoard board({kDisturbed, kDisturbed, kDisturbed, kFine});
  const Result<BoardComparison> result = Compare(board);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->comparisons(), 3);
  EXPECT_EQ(result->measurement.status, kDisturbed);
  EXPECT_EQ(notices_.size(), 2U);
}

TEST_F(BoardComparisonTest, KeepsTheEnergyOfTheComparisonThatKnewIt) {
  ScriptedBoard board({kDisturbed, kDisturbed, kFine});
  board.set_energy_from(2);
  const Result<BoardComparison> result = Compare(board, /*energy=*/true);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_TRUE(result->with_energy.networks.front().energy);
  EXPECT_EQ(result->with_energy.networks.front().latency_median_ns, 102'000.0);
  EXPECT_FALSE(result->measurement.networks.front().energy);
  EXPECT_TRUE(board.jobs()[1].energy);
  EXPECT_FALSE(board.jobs()[2].energy);
}

TEST_F(BoardComparisonTest, ReportsAVerdictWithoutNumbersAsAFailure) {
  ScriptedBoard board({kDisturbed, MeasureStatus::kCrash});
  const Result<BoardComparison> result = Compare(board);
  EXPECT_EQ(result.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(result.status().message(), HasSubstr("bench: CRASH"));
}

TEST(DescribeComparisonsTest, SaysHowOftenAndWhy) {
  EXPECT_EQ(DescribeComparisons(false, "", 1), "");
  EXPECT_EQ(DescribeComparisons(true, "it stepped", 1), "NOISY, in one comparison: it stepped");
  EXPECT_EQ(DescribeComparisons(true, "it stepped", 3),
            "NOISY, in each of 3 comparisons, last: it stepped");
  EXPECT_THAT(DescribeComparisons(false, "", 2), HasSubstr("measured 2 times"));
}

}  // namespace
}  // namespace bitpilot
