// kill -9, of real processes: experiments/reliability/kill9 runs hundreds of rounds.
#include <gtest/gtest.h>

#include <string>

#include "experiments/reliability/kill_campaign.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

TEST(KillCampaignTest, LosesAndDoublesNothingInTwentyRounds) {
  const TemporaryFolder folder;
  KillOptions options;
  options.folder = folder / "campaign";
  options.bitpilotd = BITPILOTD_PATH;
  options.agent = KILL9_PATH;
  options.cost_table = BITPILOT_SOURCE_DIR "/tests/loopback/toy.cost";
  options.rounds = 20;
  options.seed = 9;
  std::string said;
  const Result<KillReport> report =
      RunKillCampaign(options, [&said](const std::string& text) { said += text + "\n"; });
  ASSERT_TRUE(report.ok()) << report.status().message() << "\n" << said;
  for (const std::string& violation : report->violations) ADD_FAILURE() << violation;
  EXPECT_EQ(report->agents + report->daemons + report->workers, 20);
  EXPECT_GT(report->agents, 2);
  EXPECT_GT(report->daemons, 2);
  EXPECT_GT(report->workers, 2);
  EXPECT_GT(report->before_record + report->before_acknowledgement, 2)
      << "two thirds of the kills of agent and daemon are aimed at that moment";
  EXPECT_EQ(report->repeated, 0U) << "its agent acknowledges no attempt before the job is recorded";
  EXPECT_GT(report->acknowledged, 3U);
  EXPECT_GE(report->recorded, report->acknowledged);
}

}  // namespace
}  // namespace bitpilot
