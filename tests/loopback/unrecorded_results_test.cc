// Results that an agent did not live to record: its next process gets them, and nothing is measured twice.
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/zmq_link.h"
#include "kernels/base/file_io.h"
#include "tests/agent/forked_process.h"
#include "tests/device_daemon/temporary_folder.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

class UnrecordedResultsTest : public testing::Test {
 protected:
  UnrecordedResultsTest() {
    job_.networks = {&network_};
    job_.tier = Tier::kScreen;
    job_.name = "study 1, step 2";
    // The lease of a process that was killed lives on for half a minute; these share the board.
    options_.lease.kind = LeaseKind::kPerJob;
  }

  std::unique_ptr<Board> Connect() const {
    Result<std::unique_ptr<Board>> board = ConnectBoard(daemon_.address, keys_, options_);
    EXPECT_TRUE(board.ok()) << board.status().message();
    return std::move(board).value();
  }
  // Every window as the board told it: no two measurements have the same.
  static std::vector<double> WindowsOf(const Result<Measurement>& measurement) {
    EXPECT_TRUE(measurement.ok()) << measurement.status().message();
    EXPECT_TRUE(HasNumbers(measurement->status)) << measurement->detail;
    return measurement->networks.at(0).window_ns;
  }

  const AgentKeys keys_ = GenerateCurveKeys();
  const RunningDaemon daemon_ = StartDaemon(keys_);
  const Network network_ = SmallNetwork(7);
  MeasureJob job_;
  BoardOptions options_;
};

TEST_F(UnrecordedResultsTest, AreForgottenWhenTheyAreRecordedAndNotBefore) {
  const auto board = Connect();
  const Result<Measurement> first = board->Measure(job_);
  const Result<Measurement> again = Connect()->Measure(job_);
  EXPECT_EQ(WindowsOf(again), WindowsOf(first));
  EXPECT_EQ(again->measure_id, first->measure_id);
  EXPECT_EQ(first->measure_id.size(), 16U);

  MeasureJob other = job_;
  other.name = "study 1, step 3";
  EXPECT_NE(WindowsOf(board->Measure(other)), WindowsOf(first));

  board->Recorded(first->measure_id);
  // Behind the acknowledgement on the same connection.
  EXPECT_NE(WindowsOf(board->Measure(job_)), WindowsOf(first));
}

TEST_F(UnrecordedResultsTest, AreForgottenAtOnceWhereTheJobHasNoName) {
  job_.name.clear();
  const auto board = Connect();
  const Result<Measurement> first = board->Measure(job_);
  EXPECT_NE(WindowsOf(board->Measure(job_)), WindowsOf(first));
}

// kill -9 between the board's answer and its record.
TEST_F(UnrecordedResultsTest, ReachTheNextProcessOfAnAgentThatWasKilled) {
  const TemporaryFolder folder;
  const std::string file = folder / "windows";
  ForkedProcess agent([&](const ForkedProcess::Report& report) {
    const Result<Measurement> measured = Connect()->Measure(job_);
    if (!measured.ok() || measured->networks.empty()) _exit(5);
    const std::vector<double>& windows = measured->networks[0].window_ns;
    const std::string bytes(reinterpret_cast<const char*>(windows.data()),
                            windows.size() * sizeof(double));
    if (!WriteFileAtomically(file, bytes).ok()) _exit(6);
    report(1);
    pause();
  });
  ASSERT_TRUE(agent.Read().has_value());
  ASSERT_TRUE(agent.Kill());
  const std::vector<double> windows = WindowsOf(Connect()->Measure(job_));
  const Result<std::string> before = ReadFile(file);
  ASSERT_TRUE(before.ok()) << before.status().message();
  EXPECT_EQ(*before, std::string(reinterpret_cast<const char*>(windows.data()),
                                 windows.size() * sizeof(double)));
}

}  // namespace
}  // namespace bitpilot
