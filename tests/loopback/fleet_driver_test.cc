// Several daemons under one FleetDriver: one thread and one context for all of them.
#include "agent/fleet/fleet_driver.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/device/local_daemon.h"
#include "agent/fleet/job_requests.h"
#include "agent/fleet/zmq_link.h"
#include "kernels/base/text_file.h"
#include "tests/agent/latch.h"
#include "tests/device_daemon/temporary_folder.h"
#include "tests/loopback/test_networks.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

// Daemons that answer at once from a table, under one fleet.
class FleetDriverTest : public testing::Test {
 protected:
  std::unique_ptr<LocalDaemon> StartModel() const {
    LocalDaemonOptions options;
    options.program = FindDaemonProgram().value();
    options.cost_table = ReadTextFile(BITPILOT_SOURCE_DIR "/tests/loopback/toy.cost").value();
    options.fast = true;
    Result<std::unique_ptr<LocalDaemon>> daemon = LocalDaemon::Create(options, keys_.public_key);
    EXPECT_TRUE(daemon.ok()) << daemon.status().message();
    return std::move(daemon).value();
  }

  FleetBoard BoardAt(const BoardAddress& address, const std::string& name) const {
    FleetBoard board;
    board.client.board_name = name;
    board.client.endpoint = address.endpoint;
    board.client.connect_timeout = board.client.reconnect_timeout = kForever;
    board.client.lease_wait = kForever;
    board.tags = {"model"};
    board.keys = keys_;
    board.address = address;
    return board;
  }

  JobId Submit(FleetDriver& fleet, const Network& network) const {
    MeasureJob job;
    job.networks = {&network};
    job.tier = Tier::kScreen;
    fleet::JobSpec spec;
    spec.request = MakeMeasureRequest(job, NewMeasureId()).value();
    spec.class_tag = "model";
    return fleet.Submit(std::move(spec));
  }

  // Measures all of them, and returns how many boards took part.
  std::size_t MeasureAll(FleetDriver& fleet, const std::vector<Network>& networks) const {
    std::vector<JobId> jobs;
    for (const Network& network : networks) jobs.push_back(Submit(fleet, network));
    std::set<fleet::BoardId> boards;
    for (const JobId id : jobs) {
      const Result<fleet::JobEnded> ended = fleet.Wait(id, {});
      EXPECT_TRUE(ended.ok());
      EXPECT_TRUE(ended->result.status.ok()) << ended->result.status.message();
      EXPECT_EQ(ended->result.measurement.status, MeasureStatus::kOk);
      boards.insert(*ended->board);
      fleet.Record(*ended);
    }
    return boards.size();
  }

  const AgentKeys keys_ = GenerateCurveKeys();
};

std::vector<Network> Networks(int count) {
  std::vector<Network> networks;
  for (int i = 0; i < count; ++i) networks.push_back(SmallNetwork(static_cast<std::uint64_t>(i)));
  return networks;
}

std::ptrdiff_t NumThreads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                       std::filesystem::directory_iterator());
}

TEST_F(FleetDriverTest, NeedsNoMoreThreadsForMoreBoards) {
  std::vector<std::unique_ptr<LocalDaemon>> daemons;
  for (int i = 0; i < 3; ++i) daemons.push_back(StartModel());
  FleetDriver fleet({}, {});
  std::vector<std::ptrdiff_t> threads;
  for (std::size_t i = 0; i < daemons.size(); ++i) {
    const Result<BoardAddress> address = daemons[i]->Address();
    ASSERT_TRUE(address.ok()) << address.status().message();
    const fleet::BoardId id =
        fleet.AddBoard(BoardAt(*address, std::string("board ") + std::to_string(i)));
    const Result<BoardInfo> info = fleet.WaitUntilReady(id, {});
    ASSERT_TRUE(info.ok()) << info.status().message();
    threads.push_back(NumThreads());
  }
  EXPECT_EQ(threads[0], threads[2]);
  EXPECT_EQ(MeasureAll(fleet, Networks(24)), 3U) << "each board takes part";
}

TEST_F(FleetDriverTest, GivesOutResultsOfSeveralJobsAsTheyCome) {
  const std::unique_ptr<LocalDaemon> daemon = StartModel();
  FleetDriver fleet({}, {});
  const fleet::BoardId board = fleet.AddBoard(BoardAt(daemon->Address().value(), "a board"));
  EXPECT_FALSE(fleet.WaitForAny({}, [] { return true; })) << "of no jobs it waits for the stop";
  const std::vector<Network> networks = Networks(6);
  std::set<JobId> jobs;
  for (const Network& network : networks) jobs.insert(Submit(fleet, network));
  while (!jobs.empty()) {
    std::optional<fleet::JobEnded> ended = fleet.TakeEnded(jobs);
    if (!ended) ended = fleet.WaitForAny(jobs, {});
    ASSERT_TRUE(ended);
    EXPECT_TRUE(ended->result.status.ok()) << ended->result.status.message();
    EXPECT_EQ(jobs.erase(ended->result.id), 1U);
    fleet.Record(*ended);
  }
  EXPECT_FALSE(fleet.TakeEnded(jobs));
  EXPECT_EQ(fleet.InfoOf(board)->backend, "model:toy");
}

TEST_F(FleetDriverTest, GoesOnWithoutABoardThatIsKilled) {
  std::vector<std::unique_ptr<LocalDaemon>> daemons;
  fleet::FleetOptions options;
  options.move_after = milliseconds(200);
  FleetDriver fleet(options, {});
  for (int i = 0; i < 2; ++i) {
    daemons.push_back(StartModel());
    const fleet::BoardId id =
        fleet.AddBoard(BoardAt(daemons.back()->Address().value(), "board " + std::to_string(i)));
    ASSERT_TRUE(fleet.WaitUntilReady(id, {}).ok());
  }
  ASSERT_EQ(kill(daemons[0]->pid(), SIGKILL), 0);
  EXPECT_GE(MeasureAll(fleet, Networks(8)), 1U);
  const std::vector<fleet::BoardReport> boards = fleet.Boards();
  ASSERT_EQ(boards.size(), 2U);
  EXPECT_EQ(boards[0].state, fleet::BoardState::kAway);
  EXPECT_FALSE(boards[0].why.empty());
}

TEST_F(FleetDriverTest, RunsTheHookOfABoardThatDoesNotAnswer) {
  const TemporaryFolder folder;
  fleet::FleetOptions options;
  options.power_cycle_after = milliseconds(50);
  options.max_power_cycles = 1;
  FleetDriver fleet(options, {});
  FleetBoard board =
      BoardAt({"board", "tcp://127.0.0.1:1", GenerateCurveKeys().public_key, ""}, "a dead board");
  board.power_cycle = "touch " + folder.path() + "/was-cycled";
  fleet.AddBoard(std::move(board));
  const auto was_cycled = [&] { return std::filesystem::exists(folder / "was-cycled"); };
  const JobId job = Submit(fleet, SmallNetwork(1));
  EXPECT_FALSE(fleet.Wait(job, was_cycled).ok()) << "waits until the hook has run";
  EXPECT_EQ(fleet.Boards()[0].power_cycles, 1);
}

// A power-cycle command that switches off, and on again when somebody writes a line for it.
class SlowHook {
 public:
  SlowHook() {
    EXPECT_EQ(mkfifo((folder_ / "go-on").c_str(), 0600), 0);
    pipe_ = open((folder_ / "go-on").c_str(), O_RDWR | O_CLOEXEC);
    EXPECT_GE(pipe_, 0);
  }
  ~SlowHook() { close(pipe_); }
  SlowHook(const SlowHook&) = delete;
  SlowHook& operator=(const SlowHook&) = delete;

  std::string command() const {
    return "cd " + folder_.path() + "; touch off; read line < go-on; touch on";
  }
  void GoOn() const { EXPECT_EQ(write(pipe_, "\n", 1), 1); }
  bool is_off() const { return std::filesystem::exists(folder_ / "off"); }
  bool is_on_again() const { return std::filesystem::exists(folder_ / "on"); }

 private:
  const TemporaryFolder folder_;
  int pipe_ = -1;
};

class PowerHookOfFleetTest : public FleetDriverTest {
 protected:
  PowerHookOfFleetTest() {
    fleet::FleetOptions options;
    options.power_cycle_after = milliseconds(50);
    options.max_power_cycles = 1;
    fleet_ = std::make_unique<FleetDriver>(options, [this](const std::string& text) {
      notices_.push_back(text);
      if (text.find("waiting up to 60 s") != std::string::npos) hook_.GoOn();
    });
    FleetBoard dead =
        BoardAt({"board", "tcp://127.0.0.1:1", GenerateCurveKeys().public_key, ""}, "a dead board");
    dead.power_cycle = hook_.command();
    board_ = fleet_->AddBoard(std::move(dead));
    Submit(*fleet_, SmallNetwork(1));
    (void)fleet_->WaitForAny({}, [this] { return hook_.is_off(); });
  }

  const SlowHook hook_;
  std::vector<std::string> notices_;
  std::unique_ptr<FleetDriver> fleet_;
  fleet::BoardId board_ = 0;
};

TEST_F(PowerHookOfFleetTest, IsWaitedForWhenTheFleetIsClosed) {
  fleet_.reset();
  EXPECT_TRUE(hook_.is_on_again());
  ASSERT_FALSE(notices_.empty());
  EXPECT_NE(notices_.back().find("'a dead board' is being power-cycled"), std::string::npos)
      << notices_.back();
}

TEST_F(PowerHookOfFleetTest, GoesOnWhenItsBoardIsRemoved) {
  fleet_->RemoveBoard(board_);
  (void)fleet_->WaitForAny({}, [this] { return fleet_->Boards().empty(); });
  hook_.GoOn();
  (void)fleet_->WaitForAny({}, [this] { return hook_.is_on_again(); });
  EXPECT_TRUE(hook_.is_on_again());
}

// Switched-off boards have names that cost seconds each, again and again.
TEST_F(FleetDriverTest, ReachesABoardByNameWhileNamesOfOthersTakeTheirTime) {
  const std::unique_ptr<LocalDaemon> daemon = StartModel();
  Latch latch;
  const auto resolve = [&latch](const Endpoint& name) -> Result<std::vector<Endpoint>> {
    if (name.host == "live.test") return std::vector<Endpoint>{{"127.0.0.1", name.port}};
    latch.Wait();
    return Status(StatusCode::kNotFound, "unknown host '" + name.host + "'");
  };
  FleetDriver fleet({}, {}, {resolve, [] { return Status(); }});
  const OpensAtEnd opens(latch);
  for (int i = 0; i < 5; ++i) {
    const std::string name = "off" + std::to_string(i);
    fleet.AddBoard(
        BoardAt({name, "tcp://" + name + ".test:7777", GenerateCurveKeys().public_key, ""}, name));
  }
  BoardAddress address = daemon->Address().value();
  const Endpoint endpoint = ParseEndpoint(address.endpoint, EndpointUse::kConnect).value();
  address.endpoint = "tcp://live.test:" + std::to_string(endpoint.port);
  const fleet::BoardId live = fleet.AddBoard(BoardAt(address, "live"));
  const Result<BoardInfo> info = fleet.WaitUntilReady(live, {});
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_EQ(MeasureAll(fleet, Networks(2)), 1U);
}

TEST_F(FleetDriverTest, RemovesABoardAndTellsWhatIsWrongWithAnother) {
  const std::unique_ptr<LocalDaemon> daemon = StartModel();
  FleetDriver fleet({}, {});
  const BoardAddress address = daemon->Address().value();
  const fleet::BoardId good = fleet.AddBoard(BoardAt(address, "good"));
  FleetBoard stranger = BoardAt(address, "stranger");
  stranger.keys = GenerateCurveKeys();
  const Result<BoardInfo> refused = fleet.WaitUntilReady(fleet.AddBoard(std::move(stranger)), {});
  EXPECT_EQ(refused.status().code(), StatusCode::kPermissionDenied) << refused.status().message();
  ASSERT_TRUE(fleet.WaitUntilReady(good, {}).ok());
  EXPECT_EQ(MeasureAll(fleet, Networks(2)), 1U) << "a board that refuses is not fatal";
  fleet.RemoveBoard(good);
  EXPECT_FALSE(
      fleet.WaitUntilReady(fleet.AddBoard(BoardAt(address, "again")), {}).status().code() ==
      StatusCode::kPermissionDenied);
  EXPECT_EQ(MeasureAll(fleet, Networks(2)), 1U);
}

}  // namespace
}  // namespace bitpilot
