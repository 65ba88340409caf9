#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/device/board_choice.h"
#include "agent/fleet/board.h"
#include "agent/fleet/fleet_watch.h"
#include "agent/fleet/keys.h"
#include "agent/fleet/zmq_link.h"
#include "kernels/base/file_io.h"
#include "tests/device_daemon/temporary_folder.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

TEST(LeaseTest, ASecondAgentLearnsWhoHoldsTheBoard) {
  const AgentKeys keys = GenerateCurveKeys();
  const RunningDaemon daemon = StartDaemon(keys);
  Result<std::unique_ptr<Board>> first = ConnectBoard(daemon.address, keys, {});
  ASSERT_TRUE(first.ok()) << first.status().message();
  const auto second = ConnectBoard(daemon.address, keys, {});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
  EXPECT_NE(second.status().message().find("process " + std::to_string(getpid())),
            std::string::npos)
      << second.status().message();
  const Network network = SmallNetwork(1);
  EXPECT_TRUE((*first)->Infer(network, RandomImages(network, 1, 1)).ok());
}

TEST(LeaseTest, IsFreeAgainAsSoonAsTheHolderEnds) {
  const AgentKeys keys = GenerateCurveKeys();
  const RunningDaemon daemon = StartDaemon(keys);
  for (int i = 0; i < 3; ++i) {
    const auto board = ConnectBoard(daemon.address, keys, {});
    ASSERT_TRUE(board.ok()) << i << ": " << board.status().message();
  }
}

TEST(LeaseTest, IsFreeAgainWhenTheHolderEndsInTheMiddleOfAMeasurement) {
  const AgentKeys keys = GenerateCurveKeys();
  const RunningDaemon daemon = StartDaemon(keys);
  const Network network = SmallNetwork(2);
  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kAudit;
  {
    Result<std::unique_ptr<Board>> board = ConnectBoard(daemon.address, keys, {});
    ASSERT_TRUE(board.ok());
    ASSERT_TRUE((*board)->StartMeasure(job).ok());
  }
  Result<std::unique_ptr<Board>> board = ConnectBoard(daemon.address, keys, {});
  ASSERT_TRUE(board.ok()) << board.status().message();
  EXPECT_TRUE((*board)->Infer(network, RandomImages(network, 1, 1)).ok());
}

BoardOptions PerJob(int priority) {
  BoardOptions options;
  options.lease = {LeaseKind::kPerJob, priority};
  return options;
}

// Asks again and again, until one job runs on the board and so many wait.
void WaitForQueue(FleetWatch& watch, int length) {
  while (true) {
    watch.AskAll({}, {}, {});
    const BoardView& view = watch.View(0);
    ASSERT_TRUE(view.status.ok()) << view.status.message();
    ASSERT_TRUE(view.board);
    const bool is_timing = view.board->state() == "TIMING";
    ASSERT_TRUE(is_timing || length == 0) << "the first job ended before all others waited";
    if (is_timing && view.board->queue_size() == length) return;
  }
}

TEST(LeaseTest, OfAgentsThatShareABoardTheOneOfHigherPriorityGoesFirst) {
  const AgentKeys keys = GenerateCurveKeys();
  const RunningDaemon daemon = StartDaemon(keys);
  const Network network = SmallNetwork(4);
  // A job that takes longer than all this, unless it is stopped.
  std::atomic<bool> stop = false;
  BoardOptions stoppable = PerJob(0);
  stoppable.stop = [&stop] { return stop.load(); };
  const auto first = ConnectBoard(daemon.address, keys, stoppable);
  ASSERT_TRUE(first.ok()) << first.status().message();
  MeasureJob slow;
  slow.networks.assign(16, &network);
  slow.tier = Tier::kAudit;
  slow.extended = true;
  ASSERT_TRUE((*first)->StartMeasure(slow).ok());

  MeasureJob job;
  job.networks = {&network};
  job.tier = Tier::kScreen;
  std::mutex mutex;
  std::vector<int> order;
  const auto measure = [&](int priority) {
    const auto board = ConnectBoard(daemon.address, keys, PerJob(priority));
    ASSERT_TRUE(board.ok()) << board.status().message();
    const Result<Measurement> measurement = (*board)->Measure(job);
    ASSERT_TRUE(measurement.ok()) << measurement.status().message();
    EXPECT_TRUE(HasNumbers(measurement->status)) << measurement->detail;
    const std::lock_guard<std::mutex> lock(mutex);
    order.push_back(priority);
  };
  FleetWatch watch({daemon.address}, keys);
  ASSERT_NO_FATAL_FAILURE(WaitForQueue(watch, 0));
  std::vector<std::thread> agents;
  for (const int priority : {-1, 5, 0}) {
    agents.emplace_back(measure, priority);
    WaitForQueue(watch, static_cast<int>(agents.size()));
    if (HasFatalFailure()) break;
  }
  stop = true;
  EXPECT_EQ((*first)->FinishMeasure().status().code(), StatusCode::kAborted);
  for (std::thread& agent : agents) agent.join();
  EXPECT_EQ(order, (std::vector<int>{5, 0, -1}));
}

// By what the flags --lease and --priority choose.
TEST(LeaseTest, TwoChoicesOfOneBoardShareItByLeasesPerJob) {
  const TemporaryFolder folder;
  const AgentKeys keys = CreateAgentKeys(folder / "keys", /*overwrite=*/false).value();
  const RunningDaemon daemon = StartDaemon(keys);
  BoardChoice choice;
  choice.fleet = folder / "fleet.toml";
  ASSERT_TRUE(WriteFileAtomically(choice.fleet,
                                  "keys = \"keys\"\n[[board]]\nname = \"pi\"\n"
                                  "endpoint = \"" +
                                      daemon.address.endpoint + "\"\npublic_key = \"" +
                                      daemon.address.public_key + "\"\n")
                  .ok());
  choice.lease = LeaseTerms{LeaseKind::kPerJob, 2};
  const auto one = OpenChosenBoard(choice, {});
  ASSERT_TRUE(one.ok()) << one.status().message();
  const auto other = OpenChosenBoard(choice, {});
  ASSERT_TRUE(other.ok()) << other.status().message();
  const Network network = SmallNetwork(5);
  for (const auto* const board : {&one, &other}) {
    EXPECT_TRUE((**board)->Infer(network, RandomImages(network, 1, 1)).ok());
  }
  choice.fleet.clear();
  const Status refused = OpenChosenBoard(choice, {}).status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(refused.message().find("--lease and --priority are for boards of a fleet file"),
            std::string::npos)
      << refused.message();
}

TEST(StopTest, EndsAWaitForAMeasurement) {
  const AgentKeys keys = GenerateCurveKeys();
  const RunningDaemon daemon = StartDaemon(keys);
  bool stop = false;
  BoardOptions options;
  options.stop = [&stop] { return stop; };
  Result<std::unique_ptr<Board>> board = ConnectBoard(daemon.address, keys, options);
  ASSERT_TRUE(board.ok()) << board.status().message();
  const Network network = SmallNetwork(3);
  MeasureJob job;
  job.networks.assign(8, &network);
  job.tier = Tier::kAudit;
  stop = true;
  EXPECT_EQ((*board)->Measure(job).status().code(), StatusCode::kAborted);
  stop = false;
  EXPECT_TRUE((*board)->Infer(network, RandomImages(network, 1, 1)).ok());
}

}  // namespace
}  // namespace bitpilot
