// What a bad network between an agent and its boards does, and what is to come of it: no number is
// false, no measurement runs twice, and all goes on by itself once the network does.
//
// Hours of it, and thousands of its histories, are for the simulator (tests/simulation), whose clock
// costs nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/faults/fleet_faults_fixture.h"
#include "tests/kernels/random_networks.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class NetworkFaultsTest : public FleetFaultsTest {};

// Three boards at a time: nothing passes, nothing passes to the board, nothing comes from it.
TEST_F(NetworkFaultsTest, F20MeasuresOnceThroughPartitionsOfBothWaysAndOfOne) {
  for (int i = 0; i < 3; ++i) AddSite(/*fast=*/false);
  std::vector<JobId> jobs;
  for (std::size_t board = 0; board < 3; ++board) {
    for (int i = 0; i < 3; ++i) jobs.push_back(Submit(board, Tier::kStandard));
  }
  // Their first jobs run when the cables are pulled.
  ASSERT_TRUE(WaitFor([&] {
    return std::all_of(sites_.begin(), sites_.end(),
                       [](const auto& site) { return !site->Started().empty(); });
  }));
  PathOptions cut;
  cut.is_cut = true;
  sites_[0]->proxy.SetBothPaths(cut);
  sites_[1]->proxy.SetPath(Direction::kToServer, cut);
  sites_[2]->proxy.SetPath(Direction::kToClient, cut);
  EXPECT_TRUE(WaitFor([&] {
    const std::vector<fleet::BoardReport> reports = fleet_.Boards();
    return std::all_of(reports.begin(), reports.end(), [](const fleet::BoardReport& report) {
      return report.state == fleet::BoardState::kAway;
    });
  })) << "somebody who hears nothing for so long must notice";
  for (const auto& site : sites_) site->proxy.SetBothPaths({});
  for (const JobId job : jobs) ExpectMeasured(job);
  for (const auto& site : sites_) ExpectEachRanOnce(*site, 3);
}

TEST_F(NetworkFaultsTest, F20KeepsTheConnectionThroughASecondWithoutTheCable) {
  Site& site = AddSite(/*fast=*/true);
  PathOptions cut;
  cut.is_cut = true;
  site.proxy.SetBothPaths(cut);
  const JobId job = Submit();
  std::this_thread::sleep_for(seconds{1});
  site.proxy.SetBothPaths({});
  ExpectMeasured(job);
  EXPECT_EQ(site.proxy.num_connections(), 1);
  ExpectEachRanOnce(site, 1);
}

// The handshake, Hello, the lease, an upload of three frames and the request to measure: each is cut
// off in its middle, and so are the answers.
TEST_F(NetworkFaultsTest, F21MeasuresOnceHoweverAResetCutsWhatIsSaid) {
  Site& site = AddSite(/*fast=*/true);
  std::size_t jobs = 0;
  for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
    for (const std::size_t bytes : {1, 40, 70, 200, 350, 600, 900, 1'300, 1'800, 2'500, 3'500}) {
      SCOPED_TRACE(std::to_string(bytes) + " bytes");
      const int connections = site.proxy.num_connections();
      site.proxy.EndAfter(direction, bytes, Ending::kReset);
      // More jobs until so many bytes have passed.
      do {
        ExpectMeasured(Submit());
        ++jobs;
      } while (site.proxy.num_connections() == connections && !HasFatalFailure() && jobs < 300);
    }
  }
  EXPECT_GT(site.proxy.num_connections(), 22);
  ExpectEachRanOnce(site, jobs);
}

TEST_F(NetworkFaultsTest, F21AnswersNothingToARecordedConnection) {
  Site& site = AddSite(/*fast=*/true);
  ExpectMeasured(Submit());
  // The greeting and the handshake's first answer are for anybody; what follows is encrypted for a key
  // that the recorder does not have.
  EXPECT_LT(site.proxy.ReplayLatest(seconds{2}), 400U);
  ExpectMeasured(Submit());
  ExpectEachRanOnce(site, 2);
}

// A line of 64 kbit/s with 300 ms there and back, one byte at a time. An upload takes longer than a
// link may be silent, and is no silence.
TEST_F(NetworkFaultsTest, F22MeasuresOverASlowLine) {
  Topology topology;
  topology.name = "wider";
  topology.input = {16, 16, 3};
  topology.operations = {MakeOperation(OperationKind::kConvolution, "conv", 0, 8),
                         MakeOperation(OperationKind::kFullyConnected, "dense", 1, 40)};
  topology.operations[0].kernel_h = topology.operations[0].kernel_w = 3;
  topology.operations[0].activation = Activation::kRelu;
  const Network network =
      RandomNetwork(topology, UniformAssignment(topology, 4, 4, /*search_ends=*/true), 3);
  Site& site = AddSite(/*fast=*/true);
  PathOptions slow;
  slow.delay = milliseconds{150};
  slow.jitter = milliseconds{50};
  slow.bytes_per_second = 8'000;
  slow.piece_bytes = 1;
  site.proxy.SetBothPaths(slow);
  ExpectMeasured(Submit(network, Tier::kScreen, 0));
  EXPECT_LE(site.proxy.num_connections(), 4) << "not once a chunk";
  ExpectEachRanOnce(site, 1);
}

TEST_F(NetworkFaultsTest, F23DeliversWhatWasMeasuredWhileTheCableWasOut) {
  Site& site = AddSite(/*fast=*/false);
  const JobId job = Submit(0, Tier::kStandard);
  ASSERT_TRUE(WaitFor([&] { return !site.Started().empty(); }));
  PathOptions cut;
  cut.is_cut = true;
  site.proxy.SetBothPaths(cut);
  ASSERT_TRUE(site.WaitUntilExecuted(1)) << "measures on, whoever hears of it";
  // The connection is dead before the cable is back.
  EXPECT_TRUE(WaitFor([&] { return fleet_.Boards()[0].state == fleet::BoardState::kAway; }));
  site.proxy.SetBothPaths({});
  ExpectMeasured(job);
  ExpectEachRanOnce(site, 1);
  EXPECT_TRUE(WaitFor([&] { return site.Acknowledged() == site.Executed(); }));
}

TEST_F(NetworkFaultsTest, F24ServesAnAgentWhoseOldConnectionIsHalfOpen) {
  Site& site = AddSite(/*fast=*/true);
  ExpectMeasured(Submit());
  for (int i = 0; i < 3; ++i) {
    site.proxy.EndAll(Ending::kHalfOpen);
    ExpectMeasured(Submit());
  }
  EXPECT_EQ(site.proxy.num_connections(), 4);
  ExpectEachRanOnce(site, 4);
}

// Its name is gone with the router's memory, or costs minutes; it is where it was.
TEST_F(NetworkFaultsTest, F27GoesBackToTheLastAddressOfABoardWhoseNameIsLost) {
  Site site(/*fast=*/true);
  std::atomic<bool> is_known = true;
  const auto resolve = [&](const Endpoint& name) -> Result<std::vector<Endpoint>> {
    if (is_known) return std::vector<Endpoint>{{"127.0.0.1", name.port}};
    return Status(StatusCode::kNotFound, "unknown host '" + name.host + "'");
  };
  FleetBoard board = site.AsBoard("named");
  const Endpoint proxy = ParseEndpoint(site.proxy.endpoint(), EndpointUse::kConnect).value();
  board.address->endpoint = "tcp://board.test:" + std::to_string(proxy.port);
  FleetDriver fleet({}, {}, {resolve, [] { return Status(); }});
  const fleet::BoardId id = fleet.AddBoard(std::move(board));
  ASSERT_TRUE(fleet.WaitUntilReady(id, {}).ok());
  is_known = false;
  for (int i = 0; i < 2; ++i) {
    const int connections = site.proxy.num_connections();
    site.proxy.EndAll(Ending::kReset);
    EXPECT_TRUE(WaitFor([&] {
      return site.proxy.num_connections() > connections &&
             fleet.Boards()[0].state == fleet::BoardState::kReady;
    })) << "of a name that is not known any more the last address is tried";
  }
}

// As a board does whose address comes from a name service: restarted, it is elsewhere.
TEST_F(NetworkFaultsTest, F27FollowsABoardToAnotherAddress) {
  Site site(/*fast=*/true);
  std::mutex mutex;
  BoardAddress address{"moving", site.daemon.endpoint(), site.daemon.public_key(), ""};
  FleetBoard board = site.AsBoard("moving");
  board.address.reset();
  board.locate = [&]() -> Result<BoardAddress> {
    const std::scoped_lock lock(mutex);
    return address;
  };
  FleetDriver fleet({}, {});
  boards_.push_back(fleet.AddBoard(std::move(board)));
  ASSERT_TRUE(fleet.WaitUntilReady(boards_[0], {}).ok());
  const auto measure = [&] {
    const Network network = SmallNetwork(++last_seed_);
    MeasureJob job;
    job.networks = {&network};
    job.tier = Tier::kScreen;
    fleet::JobSpec spec;
    spec.request = MakeMeasureRequest(job, NewMeasureId()).value();
    spec.class_tag = "model";
    const Result<fleet::JobEnded> ended = fleet.Wait(fleet.Submit(std::move(spec)), {});
    return ended.ok() && ended->result.measurement.status == MeasureStatus::kOk;
  };
  EXPECT_TRUE(measure());
  site.daemon.Restart();
  {
    const std::scoped_lock lock(mutex);
    address.endpoint = site.daemon.endpoint();
  }
  EXPECT_TRUE(measure());
}

}  // namespace
}  // namespace bitpilot
