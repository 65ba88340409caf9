// A lab whose power was cut: all of its boards come back at once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/job_requests.h"
#include "agent/fleet/zmq_link.h"
#include "experiments/reliability/process_usage.h"
#include "tests/faults/board_farm.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

constexpr int kBoards = 200;
// Of agent and boards together, which share this process.
constexpr std::size_t kMostGrowthBytes = std::size_t{64} << 20;

// Waits until so many boards hold a lease, for the minute that they have.
bool WaitUntilReady(FleetDriver& fleet, std::ptrdiff_t count) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{60};
  for (;;) {
    const std::vector<fleet::BoardReport> boards = fleet.Boards();
    const auto ready = std::count_if(boards.begin(), boards.end(), [](const auto& board) {
      return board.state == fleet::BoardState::kReady;
    });
    if (ready == count) return true;
    if (std::chrono::steady_clock::now() > end) {
      ADD_FAILURE() << ready << " boards are ready after a minute, expected " << count;
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
}

TEST(ManyBoardsTest, F25TakesBackTwoHundredBoardsThatReturnAtOnce) {
  const AgentKeys keys = GenerateCurveKeys();
  BoardFarm farm(kBoards, keys);
  farm.SwitchOn();
  FleetDriver fleet({}, {});
  std::uint64_t seed = 0;
  for (const BoardAddress& address : farm.addresses()) {
    FleetBoard board;
    board.client.board_name = address.name;
    board.client.endpoint = address.endpoint;
    board.client.connect_timeout = board.client.reconnect_timeout = kForever;
    board.client.jitter_seed = ++seed;
    board.tags = {"lab"};
    board.keys = keys;
    board.address = address;
    fleet.AddBoard(std::move(board));
  }
  ASSERT_TRUE(WaitUntilReady(fleet, kBoards));
  const std::size_t before = ResidentBytes(getpid());
  for (int cut = 0; cut < 2; ++cut) {
    farm.SwitchOff();
    ASSERT_TRUE(WaitUntilReady(fleet, 0));
    farm.SwitchOn();
    ASSERT_TRUE(WaitUntilReady(fleet, kBoards));
  }
  std::vector<JobId> jobs;
  for (int i = 0; i < kBoards; ++i) {
    const Network network = SmallNetwork(static_cast<std::uint64_t>(i));
    MeasureJob job;
    job.networks = {&network};
    job.tier = Tier::kScreen;
    fleet::JobSpec spec;
    spec.request = MakeMeasureRequest(job, NewMeasureId()).value();
    spec.class_tag = "lab";
    jobs.push_back(fleet.Submit(std::move(spec)));
  }
  for (const JobId id : jobs) {
    const Result<fleet::JobEnded> ended = fleet.Wait(id, {});
    ASSERT_TRUE(ended.ok() && ended->result.status.ok()) << ended.status().message();
    EXPECT_EQ(ended->result.measurement.networks[0].latency_median_ns, BoardFarm::kLatencyNs);
    fleet.Record(*ended);
  }
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(ResidentBytes(getpid()), before + kMostGrowthBytes);
#endif
}

}  // namespace
}  // namespace bitpilot
