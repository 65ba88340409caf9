// A against B on a board, outside a study.
#include "agent/results/board_versus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "kernels/base/standard_networks.h"
#include "tests/agent/scripted_board.h"

namespace bitpilot {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

std::deque<MeasureStatus> FineBlocks(std::size_t count) {
  return std::deque<MeasureStatus>(count, kFine);
}

class BoardVersusTest : public testing::Test {
 protected:
  Result<BoardVersus> Compare(ScriptedBoard& board) {
    job_.a = &a_;
    job_.b = &b_;
    job_.notice = [this](const std::string& text) { notices_.push_back(text); };
    job_.on_same = [this](const std::vector<VersusBlock>& same) { same_blocks_ = same.size(); };
    return CompareVersusOnBoard(board, job_);
  }

  const Topology topology_ = StandardTopology("resnet8").value();
  const Network a_ = RandomNetwork(topology_, UniformAssignment(topology_, 4, 4), 1);
  const Network b_ = RandomNetwork(topology_, UniformAssignment(topology_, 8, 8), 1);
  VersusJob job_;
  std::vector<std::string> notices_;
  std::size_t same_blocks_ = 0;
};

TEST_F(BoardVersusTest, ComparesTwoCopiesThenBothInEitherOrder) {
  ScriptedBoard board(FineBlocks(2 * kVersusBlocks));
  board.set_latency_ns(a_, 6e4);
  board.set_latency_ns(b_, 8e4);
  const Result<BoardVersus> result = Compare(board);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(same_blocks_, std::size_t{kVersusBlocks});
  const std::vector<MeasureJob>& jobs = board.jobs();
  ASSERT_EQ(jobs.size(), std::size_t{2 * kVersusBlocks});
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const bool same = i < std::size_t{kVersusBlocks};
    EXPECT_EQ(jobs[i].tier, Tier::kAudit);
    EXPECT_EQ(jobs[i].window_doublings, 0);
    const Network* first = same || i % 2 == 0 ? &a_ : &b_;
    const Network* second = same || i % 2 == 1 ? &a_ : &b_;
    EXPECT_THAT(jobs[i].networks, ElementsAre(first, second)) << i;
  }
  const VersusVerdict verdict = JudgeTimes(result->blocks);
  EXPECT_EQ(verdict.speed, Speed::kFaster);
  EXPECT_DOUBLE_EQ(verdict.different.ratio(), 0.75);
  EXPECT_DOUBLE_EQ(LatenciesOf(result->blocks.different).b_ns, 8e4);
  EXPECT_THAT(notices_, Contains("A and B, block 6 of 6"));
}

TEST_F(BoardVersusTest, TakesLongerWindowsForTheLongForm) {
  ScriptedBoard board(FineBlocks(2 * kVersusBlocks));
  job_.is_long = true;
  ASSERT_TRUE(Compare(board).ok());
  EXPECT_TRUE(std::all_of(board.jobs().begin(), board.jobs().end(), [](const MeasureJob& job) {
    return job.window_doublings == kVersusAuditDoublings && !job.extended;
  }));
}

TEST_F(BoardVersusTest, MeasuresANoisyBlockAgainAndSaysWhatStayedNoisy) {
  std::deque<MeasureStatus> verdicts = FineBlocks(2 * kVersusBlocks);
  verdicts.insert(verdicts.begin() + 1, {kDisturbed, kDisturbed});
  verdicts.back() = kDisturbed;
  verdicts.insert(verdicts.end(), {kDisturbed, kDisturbed});
  ScriptedBoard board(verdicts);
  const Result<BoardVersus> result = Compare(board);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(board.jobs().size(), std::size_t{2 * kVersusBlocks + 4});
  EXPECT_EQ(result->measurement.status, kDisturbed);
  EXPECT_EQ(DescribeDisturbances(result->blocks),
            "1 of 12 blocks stayed NOISY, the last: network 0: latency stepped by 5.0 %");
}

TEST_F(BoardVersusTest, RepeatsFewBlocksOnABoardThatStaysDisturbed) {
  ScriptedBoard board(std::deque<MeasureStatus>(2 * (kVersusBlocks + kVersusRepeats), kDisturbed));
  const Result<BoardVersus> result = Compare(board);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(board.jobs().size(), std::size_t{2 * (kVersusBlocks + kVersusRepeats)});
  EXPECT_THAT(DescribeDisturbances(result->blocks), HasSubstr("12 of 12 blocks stayed NOISY"));
}

TEST_F(BoardVersusTest, MeasuresEnergyInEveryBlock) {
  ScriptedBoard board(FineBlocks(2 * kVersusBlocks));
  job_.energy = true;
  const Result<BoardVersus> result = Compare(board);
  ASSERT_TRUE(result.ok()) << result.status().message();
  const Result<VersusVerdict> energy = JudgeEnergies(result->blocks);
  ASSERT_TRUE(energy.ok()) << energy.status().message();
  EXPECT_EQ(energy->different.num_rounds, kVersusBlocks);
  EXPECT_EQ(energy->speed, Speed::kNoDifference);
}

TEST_F(BoardVersusTest, RefusesATableWithoutAskingIt) {
  ScriptedBoard board(FineBlocks(2 * kVersusBlocks));
  board.mutable_info().backend = "model:steps";
  const Result<BoardVersus> result = Compare(board);
  EXPECT_EQ(result.status().code(), StatusCode::kUnsupported);
  EXPECT_THAT(result.status().message(), HasSubstr("model:steps"));
  EXPECT_TRUE(board.jobs().empty());
}

TEST_F(BoardVersusTest, NamesTheBlockThatFailed) {
  std::deque<MeasureStatus> verdicts = FineBlocks(kVersusBlocks + 1);
  verdicts.push_back(MeasureStatus::kCrash);
  ScriptedBoard board(verdicts);
  const Result<BoardVersus> result = Compare(board);
  EXPECT_EQ(result.status().code(), StatusCode::kUnavailable);
  EXPECT_THAT(result.status().message(), HasSubstr("A and B, block 2 of 6: bench: CRASH"));
}

}  // namespace
}  // namespace bitpilot
