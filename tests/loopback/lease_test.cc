#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "agent/fleet/board.h"
#include "agent/fleet/zmq_link.h"
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
