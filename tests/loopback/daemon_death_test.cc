// Daemons that end while an agent works: every outcome is defined, and nothing hangs.
//
// Where a test pauses, it is so that the daemon is likely in the middle of its work when it is
// killed; the expected outcome is the same if it is not.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/leased_board.h"
#include "agent/fleet/zmq_link.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

// A board on a local daemon whose process the test can reach.
class DaemonDeathTest : public testing::Test {
 protected:
  void SetUp() override {
    daemon_ = std::shared_ptr<LocalDaemon>(StartDaemon(keys_).process);
    job_.networks = {&network_};
    job_.tier = Tier::kStandard;
  }

  std::unique_ptr<Board> Open(const BoardOptions& options) {
    Result<std::unique_ptr<Board>> board = OpenBoard(
        "local", "loopback", keys_, [daemon = daemon_] { return daemon->Address(); }, options);
    EXPECT_TRUE(board.ok()) << board.status().message();
    return board.ok() ? std::move(board).value() : nullptr;
  }

  const AgentKeys keys_ = GenerateCurveKeys();
  const Network network_ = SmallNetwork(1);
  MeasureJob job_;
  std::shared_ptr<LocalDaemon> daemon_;
};

TEST_F(DaemonDeathTest, F6AMeasurementIsRepeatedOnTheRestartedDaemon) {
  const std::unique_ptr<Board> board = Open({});
  ASSERT_NE(board, nullptr);
  ASSERT_TRUE(board->StartMeasure(job_).ok());
  std::this_thread::sleep_for(milliseconds(300));
  ASSERT_EQ(kill(daemon_->pid(), SIGKILL), 0);
  const Result<Measurement> measurement = board->FinishMeasure();
  ASSERT_TRUE(measurement.ok()) << measurement.status().message();
  EXPECT_TRUE(HasNumbers(measurement->status)) << measurement->detail;
}

TEST_F(DaemonDeathTest, ASecondDeathFailsTheBoardClearly) {
  const std::unique_ptr<Board> board = Open({});
  ASSERT_NE(board, nullptr);
  const std::vector<std::uint8_t> images = RandomImages(network_, 1, 1);
  ASSERT_EQ(kill(daemon_->pid(), SIGKILL), 0);
  EXPECT_TRUE(board->Infer(network_, images).ok());
  ASSERT_EQ(kill(daemon_->pid(), SIGKILL), 0);
  const auto logits = board->Infer(network_, images);
  EXPECT_EQ(logits.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(logits.status().message().find("signal 9"), std::string::npos)
      << logits.status().message();
  const Result<Measurement> measurement = board->Measure(job_);
  EXPECT_EQ(measurement.status().code(), StatusCode::kUnavailable);
}

TEST_F(DaemonDeathTest, ABoardThatStaysAwayFailsAfterTheReconnectTimeout) {
  const BoardAddress address = daemon_->Address().value();
  Result<std::unique_ptr<Board>> board = ConnectBoard(address, keys_, ShortWaits());
  ASSERT_TRUE(board.ok()) << board.status().message();
  ASSERT_TRUE((*board)->StartMeasure(job_).ok());
  std::this_thread::sleep_for(milliseconds(200));
  ASSERT_EQ(kill(daemon_->pid(), SIGKILL), 0);
  const Result<Measurement> measurement = (*board)->FinishMeasure();
  EXPECT_EQ(measurement.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(measurement.status().message().find(address.endpoint), std::string::npos);
}

TEST_F(DaemonDeathTest, WhoeverWaitsIsToldOfALostBoardAndOfItsReturn) {
  const BoardAddress first_address = daemon_->Address().value();
  std::atomic<bool> may_return = false;
  std::vector<std::string> notices;
  BoardOptions options;
  const std::thread::id waiting_thread = std::this_thread::get_id();
  options.notice = [&](const std::string& text) {
    EXPECT_EQ(std::this_thread::get_id(), waiting_thread);
    notices.push_back(text);
    may_return = true;
  };
  const auto locate = [&] {
    return may_return ? daemon_->Address() : Result<BoardAddress>(first_address);
  };
  Result<std::unique_ptr<Board>> board = OpenBoard("local", "loopback", keys_, locate, options);
  ASSERT_TRUE(board.ok()) << board.status().message();
  ASSERT_EQ(kill(daemon_->pid(), SIGKILL), 0);
  const auto logits = (*board)->Infer(network_, RandomImages(network_, 1, 1));
  ASSERT_TRUE(logits.ok()) << logits.status().message();
  ASSERT_EQ(notices.size(), 2U) << testing::PrintToString(notices);
  EXPECT_TRUE(notices[0].starts_with("board 'local' at loopback does not answer")) << notices[0];
  EXPECT_TRUE(notices[1].starts_with("board 'local' at loopback is back after")) << notices[1];
}

TEST_F(DaemonDeathTest, SigtermEndsTheDaemonInOrder) {
  const pid_t pid = daemon_->pid();
  ASSERT_EQ(kill(pid, SIGTERM), 0);
  int status = 0;
  ASSERT_EQ(waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(DaemonDeathTest, APortInUseIsNamed) {
  const BoardAddress address = daemon_->Address().value();
  const std::string command = FindDaemonProgram().value() + " serve --listen " + address.endpoint +
                              " --keys " + daemon_->directory() + " --store " +
                              daemon_->directory() + "/other 2>&1";
  FILE* output = popen(command.c_str(), "r");
  ASSERT_NE(output, nullptr);
  std::string text;
  for (char buffer[256]; std::fgets(buffer, sizeof(buffer), output) != nullptr;) text += buffer;
  EXPECT_EQ(WEXITSTATUS(pclose(output)), 1) << text;
  EXPECT_NE(text.find(address.endpoint), std::string::npos) << text;
}

}  // namespace
}  // namespace bitpilot
