#include "kernels/versus/versus.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "kernels/base/standard_networks.h"
#include "kernels/versus/versus_fields.h"
#include "kernels/versus/versus_text.h"

namespace bitpilot {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr double kBNs = 1000.0;

// A block of 24 rounds, measured in the order of its turn, in which A takes `ratio` of B's time.
VersusBlock Measured(const VersusTurn& turn, double ratio) {
  const double a_ns = (turn.same ? 1.0 : ratio) * kBNs;
  PairedBlock times{std::vector<double>(24, a_ns), std::vector<double>(24, kBNs)};
  if (turn.second_first()) std::swap(times.first, times.second);
  VersusBlock block;
  block.times_ns = block.wall_ns = times;
  return WithAFirst(block, turn);
}

VersusBlocks MeasureAll(double ratio) {
  const auto measure = [ratio](const VersusTurn& turn) -> Result<VersusBlock> {
    return Measured(turn, ratio);
  };
  return MeasureVersus(measure, [](const std::vector<VersusBlock>&) {}).value();
}

VersusBlock WithEnergy(double first_uj, double second_uj, const std::string& source) {
  VersusBlock block;
  block.energy_uj = {std::vector<double>(5, first_uj), std::vector<double>(5, second_uj)};
  block.energy_source = source;
  return block;
}

TEST(MeasureVersusTest, MeasuresTwoCopiesFirstAndChangesTheOrder) {
  std::vector<std::string> log;
  const Result<VersusBlocks> blocks = MeasureVersus(
      [&](const VersusTurn& turn) -> Result<VersusBlock> {
        log.push_back(std::string(turn.same ? "same" : "versus") +
                      (turn.second_first() ? " backward" : ""));
        return VersusBlock();
      },
      [&](const std::vector<VersusBlock>& same) {
        log.push_back("told of " + std::to_string(same.size()));
      });
  ASSERT_TRUE(blocks.ok());
  EXPECT_THAT(log, ElementsAre("same", "same backward", "same", "same backward", "same",
                               "same backward", "told of 6", "versus", "versus backward", "versus",
                               "versus backward", "versus", "versus backward"));
}

TEST(MeasureVersusTest, PassesAFailureOn) {
  int asked = 0;
  const Result<VersusBlocks> blocks = MeasureVersus(
      [&](const VersusTurn&) -> Result<VersusBlock> {
        if (++asked == 3) return Status(StatusCode::kAborted, "stopped");
        return VersusBlock();
      },
      [](const std::vector<VersusBlock>&) { FAIL() << "two copies are not measured yet"; });
  EXPECT_EQ(blocks.status().code(), StatusCode::kAborted);
  EXPECT_EQ(asked, 3);
}

// The first two blocks of a kind take what repeats there are.
TEST(MeasureVersusTest, LetsFewBlocksBeMeasuredAgain) {
  std::vector<int> tries;
  const auto measure = [&](const VersusTurn& turn) -> Result<VersusBlock> {
    tries.push_back(turn.max_tries);
    VersusBlock block;
    block.tried = turn.max_tries;
    return block;
  };
  ASSERT_TRUE(MeasureVersus(measure, [](const std::vector<VersusBlock>&) {}).ok());
  EXPECT_THAT(tries, ElementsAre(3, 2, 1, 1, 1, 1, 3, 2, 1, 1, 1, 1));
}

TEST(VersusTest, KnowsWhichIsWhichInBothOrders) {
  const VersusBlocks blocks = MeasureAll(0.75);
  EXPECT_EQ(JudgeTimes(blocks).speed, Speed::kFaster);
  EXPECT_DOUBLE_EQ(JudgeTimes(blocks).different.ratio(), 0.75);
  EXPECT_DOUBLE_EQ(LatenciesOf(blocks.different).a_ns, 750.0);
  EXPECT_DOUBLE_EQ(LatenciesOf(blocks.different).b_ns, 1000.0);
}

TEST(VersusTest, HasExitCodesForScripts) {
  EXPECT_EQ(VersusExitCode(JudgeTimes(MeasureAll(0.75))), 0);
  EXPECT_EQ(VersusExitCode(JudgeTimes(MeasureAll(1.0))), 0);
  EXPECT_EQ(VersusExitCode(JudgeTimes(MeasureAll(1.5))), 3);
  VersusVerdict none = JudgeTimes(MeasureAll(1.5));
  none.speed.reset();
  EXPECT_EQ(VersusExitCode(none), 4);
}

TEST(VersusTest, JudgesEnergiesOfTheBlocksThatHaveOne) {
  VersusBlocks blocks;
  blocks.same = {WithEnergy(5.0, 5.0, "meter"), VersusBlock(), WithEnergy(5.0, 5.0, "meter")};
  blocks.different.assign(4, WithEnergy(4.0, 5.0, "meter"));
  const Result<VersusVerdict> verdict = JudgeEnergies(blocks);
  ASSERT_TRUE(verdict.ok()) << verdict.status().message();
  EXPECT_EQ(verdict->speed, Speed::kFaster);
  EXPECT_DOUBLE_EQ(verdict->different.ratio(), 0.8);
  EXPECT_EQ(verdict->same.num_rounds, 10);
}

TEST(VersusTest, SaysWhyThereIsNoVerdictOnEnergy) {
  VersusBlocks blocks;
  blocks.same.assign(6, WithEnergy(5.0, 5.0, "meter"));
  blocks.different.assign(6, VersusBlock());
  blocks.different.back().no_energy_reason = "the meter died";
  EXPECT_THAT(JudgeEnergies(blocks).status().message(), HasSubstr("the meter died"));
  blocks.different.assign(6, WithEnergy(5.0, 5.0, "rapl"));
  EXPECT_THAT(JudgeEnergies(blocks).status().message(), HasSubstr("meter and rapl"));
}

TEST(VersusTest, CountsTheBlocksThatStayedNoisy) {
  VersusBlocks blocks = MeasureAll(1.0);
  EXPECT_EQ(DescribeDisturbances(blocks), "");
  blocks.same[2].disturbance = "it stepped";
  blocks.different[5].disturbance = "two speeds";
  EXPECT_EQ(DescribeDisturbances(blocks), "2 of 12 blocks stayed NOISY, the last: two speeds");
}

TEST(VersusTest, ComparesNetworksOfOneTaskOnly) {
  const Topology resnet8 = StandardTopology("resnet8").value();
  EXPECT_TRUE(CheckOneTask(resnet8, StandardTopology("resnet20").value()).ok());
  const Status other = CheckOneTask(resnet8, StandardTopology("mobilenet-v1-025").value());
  EXPECT_EQ(other.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(other.message(), HasSubstr("A takes 3x32x32 images and gives 10 classes"));
}

TEST(VersusTextTest, SaysWhatTheRoundsSay) {
  const VersusVerdict faster = JudgeTimes(MeasureAll(0.75));
  EXPECT_EQ(DescribeSame(faster.same, VersusQuantity::kTime),
            "two copies of A, time: 1.0000x (1.0000..1.0000), 144 rounds: no difference, as it "
            "must be");
  EXPECT_EQ(DescribeDifferent(faster, VersusQuantity::kTime),
            "A to B, time: 0.7500x (0.7500..0.7500), 144 rounds: A is faster");
  EXPECT_THAT(DescribeDifferent(faster, VersusQuantity::kEnergy), HasSubstr("A needs less"));
  EXPECT_THAT(DescribeSmallestDifference(faster), HasSubstr("from 1.1 % on are found in 95 of"));
  EXPECT_THAT(DescribeDifferent(JudgeTimes(MeasureAll(1.0)), VersusQuantity::kTime),
              HasSubstr("no difference seen"));
  VersusVerdict none = faster;
  none.speed.reset();
  none.smallest_difference.reset();
  EXPECT_THAT(DescribeDifferent(none, VersusQuantity::kTime), HasSubstr("no verdict"));
  EXPECT_THAT(DescribeSmallestDifference(none), HasSubstr("scatter too much, or are too few"));
  EXPECT_EQ(DescribeLatencies({38'210.0, 61'300.0}), "A takes 38.21 us, B 61.30 us");
}

TEST(VersusFieldsTest, HoldTheVerdictForScripts) {
  VersusVerdict verdict = JudgeTimes(MeasureAll(0.75));
  nlohmann::json line = VersusJson<nlohmann::json>(verdict, VersusQuantity::kTime);
  EXPECT_EQ(line["verdict"], "faster");
  EXPECT_EQ(line["ratio"], 0.75);
  EXPECT_EQ(line["rounds"], 144);
  EXPECT_EQ(line["same"]["ratio"], 1.0);
  EXPECT_EQ(line["same"]["told_apart"], false);
  EXPECT_EQ(line["smallest_difference"], 0.011);
  EXPECT_EQ(line["power"], 0.95);
  EXPECT_TRUE(line["no_verdict_reason"].is_null());
  EXPECT_EQ(VersusJson<nlohmann::json>(verdict, VersusQuantity::kEnergy)["verdict"], "less");
  verdict.speed.reset();
  verdict.smallest_difference.reset();
  line = VersusJson<nlohmann::json>(verdict, VersusQuantity::kTime);
  EXPECT_TRUE(line["verdict"].is_null());
  EXPECT_TRUE(line["smallest_difference"].is_null());
  EXPECT_EQ(line["same"]["told_apart"], true);
  EXPECT_THAT(line["no_verdict_reason"].get<std::string>(), HasSubstr("told apart"));
}

}  // namespace
}  // namespace bitpilot
