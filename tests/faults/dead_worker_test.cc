// A worker that dies, and then the agent that had seen it.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/job_requests.h"
#include "tests/faults/site.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

class DeadWorkerTest : public testing::Test {
 protected:
  // The agent is gone without a word: its leases and jobs stay.
  void KillAgent() {
    PathOptions cut;
    cut.is_cut = true;
    site_.proxy.SetBothPaths(cut);
    fleet_.reset();
    site_.proxy.EndAll(Ending::kReset);
    site_.proxy.SetBothPaths({});
  }

  // A life of the agent, which asks for the same measurement in all of them.
  void StartAgent() {
    fleet_ = std::make_unique<FleetDriver>(fleet::FleetOptions{}, FleetDriver::Notice{});
    FleetBoard board = site_.AsBoard("board");
    // Or it waits for the lease of the one before.
    board.client.lease = {LeaseKind::kPerJob};
    const fleet::BoardId id = fleet_->AddBoard(std::move(board));
    MeasureJob job;
    job.networks = {&network_};
    job.tier = Tier::kStandard;
    fleet::JobSpec spec;
    spec.request = MakeMeasureRequest(job, measure_id_).value();
    spec.only_on = id;
    job_ = fleet_->Submit(std::move(spec));
  }

  static bool WaitUntil(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{5});
    }
    return true;
  }

  Site site_{/*fast=*/false};
  const Network network_ = SmallNetwork(1);
  const std::string measure_id_ = NewMeasureId();
  std::unique_ptr<FleetDriver> fleet_;
  JobId job_ = 0;
};

// The board executes each attempt once, whoever asks for it again: what is not recorded is not
// acknowledged, an attempt that failed neither.
TEST_F(DeadWorkerTest, IsNotMeasuredOnAgainByAnAgentThatWasStartedAgain) {
  StartAgent();
  pid_t worker = 0;
  ASSERT_TRUE(WaitUntil(
      [&] { return site_.Started().size() == 1 && (worker = site_.daemon.WorkerPid()) != 0; }));
  kill(worker, SIGKILL);
  ASSERT_TRUE(WaitUntil([&] { return site_.Started().size() == 2; })) << "a second attempt begins";

  KillAgent();
  StartAgent();
  const Result<fleet::JobEnded> ended = fleet_->Wait(job_, {});
  ASSERT_TRUE(ended.ok()) << ended.status().message();
  ASSERT_TRUE(ended->result.status.ok()) << ended->result.status.message();
  EXPECT_EQ(ended->result.measurement.status, MeasureStatus::kOk);
  EXPECT_EQ(ended->attempt, 1);
  const std::vector<std::string> started = site_.Started();
  EXPECT_EQ(started.size(), 2U) << "the first attempt's end is known";
  EXPECT_EQ(std::set<std::string>(started.begin(), started.end()).size(), 2U);
  EXPECT_TRUE(site_.Acknowledged().empty());

  fleet_->Record(*ended);
  EXPECT_TRUE(WaitUntil([&] { return site_.Acknowledged().size() == 2; }))
      << "then the board may forget both attempts";
}

}  // namespace
}  // namespace bitpilot
