// An agent's fleet of boards behind bad networks, and what is expected of it whatever happens.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <deque>
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

// The longest pause before another try to connect, and five seconds: what a board may be away longer
// than its network. The rest is for a machine that does much else.
inline constexpr std::chrono::seconds kRecovery{60};

class FleetFaultsTest : public testing::Test {
 protected:
  // One more board. direct: without its proxy.
  Site& AddSite(bool fast, bool direct = false) {
    sites_.push_back(std::make_unique<Site>(fast));
    FleetBoard board = sites_.back()->AsBoard("board " + std::to_string(sites_.size()));
    if (direct) board.address->endpoint = sites_.back()->daemon.endpoint();
    boards_.push_back(fleet_.AddBoard(std::move(board)));
    const Result<BoardInfo> info = fleet_.WaitUntilReady(boards_.back(), {});
    EXPECT_TRUE(info.ok()) << info.status().message();
    return *sites_.back();
  }

  JobId Submit(const Network& network, Tier tier, std::size_t board) {
    MeasureJob job;
    job.networks = {&network};
    job.tier = tier;
    fleet::JobSpec spec;
    spec.request = MakeMeasureRequest(job, NewMeasureId()).value();
    spec.only_on = boards_[board];
    return fleet_.Submit(std::move(spec));
  }
  JobId Submit(std::size_t board = 0, Tier tier = Tier::kScreen) {
    return Submit(SmallNetwork(++last_seed_), tier, board);
  }

  // The job's numbers come, and are those of its board.
  void ExpectMeasured(JobId id) {
    const auto end = std::chrono::steady_clock::now() + kRecovery;
    const Result<fleet::JobEnded> ended =
        fleet_.Wait(id, [end] { return std::chrono::steady_clock::now() > end; });
    ASSERT_TRUE(ended.ok()) << ended.status().message();
    ASSERT_TRUE(ended->result.status.ok()) << ended->result.status.message();
    const Measurement& measurement = ended->result.measurement;
    ASSERT_EQ(measurement.status, MeasureStatus::kOk) << measurement.detail;
    EXPECT_EQ(measurement.networks[0].latency_median_ns, Site::kLatencyNs);
    fleet_.Record(*ended);
  }

  static void ExpectEachRanOnce(const Site& site, std::size_t count) {
    const std::vector<std::string> executed = site.Executed();
    EXPECT_EQ(executed.size(), count);
    EXPECT_EQ(std::set<std::string>(executed.begin(), executed.end()).size(), count);
  }

  bool WaitFor(const std::function<bool()>& condition) {
    const auto end = std::chrono::steady_clock::now() + kRecovery;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    return true;
  }

  std::deque<std::unique_ptr<Site>> sites_;
  std::vector<fleet::BoardId> boards_;
  FleetDriver fleet_{{}, {}};
  std::uint64_t last_seed_ = 0;
};

}  // namespace bitpilot
