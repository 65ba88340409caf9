// What a kill campaign's report finds in logs that were written by hand.
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "agent/study/study.h"
#include "experiments/reliability/campaign_files.h"
#include "experiments/reliability/measured_study.h"
#include "experiments/reliability/measuring_agent.h"
#include "tests/device_daemon/temporary_folder.h"

namespace bitpilot {
namespace {

class KillReportTest : public testing::Test {
 protected:
  // A study that announced one measurement, and recorded nothing.
  void SetUp() override {
    Result<std::unique_ptr<MeasuredStudy>> study = MeasuredStudy::Open(files_.Study());
    ASSERT_TRUE(study.ok()) << study.status().message();
    announced_ = (*study)->NextId().value();
    id_ = IdOfAttempt(announced_, 0);
  }
  // What the daemon's log says of the measurement's first attempt; status: of "measurement_finished".
  void Log(int life, const std::string& event, const std::string& status = "") {
    nlohmann::json line = {{"event", event}, {"measure_id", id_}};
    if (!status.empty()) line["status"] = status;
    std::ofstream(files_.DaemonLog(life), std::ios::app) << line.dump() << "\n";
  }
  void LogExecution(int life, const std::string& status) {
    Log(life, "measurement_started");
    Log(life, "measurement_finished", status);
  }

  const TemporaryFolder folder_;
  const CampaignFiles files_{folder_ / "."};
  std::string announced_;
  std::string id_;
};

// Its worker was killed, the daemon was told to forget that, and it ran again under the same id.
TEST_F(KillReportTest, FindsNumbersThatWereAcknowledgedAndLostThoughTheIdHadFailedInAnotherLife) {
  LogExecution(1, "CRASH");
  Log(1, "result_acknowledged");
  KillReport report = ReportOf(files_, 1);
  EXPECT_TRUE(report.violations.empty()) << report.violations.front();
  EXPECT_EQ(report.acknowledged, 0U);
  LogExecution(2, "OK");
  Log(2, "result_acknowledged");
  report = ReportOf(files_, 2);
  EXPECT_EQ(report.executed, 2U);
  EXPECT_EQ(report.acknowledged, 1U);
  EXPECT_EQ(report.violations, std::vector<std::string>{"acknowledged and not recorded: " + id_});
}

TEST_F(KillReportTest, FindsAnExecutionOfWhatAnEarlierLifeWasToldIsRecorded) {
  {
    Result<std::unique_ptr<MeasuredStudy>> study = MeasuredStudy::Open(files_.Study());
    ASSERT_TRUE(study.ok()) << study.status().message();
    Measurement failed;
    failed.status = MeasureStatus::kRejected;
    ASSERT_TRUE((*study)->Record(announced_, id_, failed, BoardInfo{}).ok());
  }
  LogExecution(1, "OK");
  Log(1, "result_acknowledged");
  EXPECT_TRUE(ReportOf(files_, 1).violations.empty());
  Log(2, "measurement_started");
  EXPECT_EQ(ReportOf(files_, 2).violations,
            std::vector<std::string>{"executed again though it was acknowledged: " + id_});
}

}  // namespace
}  // namespace bitpilot
