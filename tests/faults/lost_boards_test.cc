// All boards are gone at once, and come back.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "tests/faults/fleet_faults_fixture.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

class LostBoardsTest : public FleetFaultsTest {};

// FleetCoreTest lets an hour pass, on a clock that costs nothing; here all else is real.
TEST_F(LostBoardsTest, F60WaitsForEveryLostBoardAndInventsNothing) {
  for (int i = 0; i < 2; ++i) AddSite(/*fast=*/false, /*direct=*/true);
  std::set<JobId> jobs;
  for (const std::size_t board : {0, 1}) {
    for (int i = 0; i < 2; ++i) jobs.insert(Submit(board, Tier::kStandard));
  }
  ASSERT_TRUE(WaitFor([&] {
    return std::all_of(sites_.begin(), sites_.end(),
                       [](const auto& site) { return !site->Started().empty(); });
  }));
  for (const auto& site : sites_) site->daemon.Stop(SIGKILL);
  ASSERT_TRUE(WaitFor([&] {
    const std::vector<fleet::BoardReport> boards = fleet_.Boards();
    return std::all_of(boards.begin(), boards.end(), [](const fleet::BoardReport& board) {
      return board.state == fleet::BoardState::kAway && !board.why.empty();
    });
  })) << "somebody must be told which boards are away and why";
  // What had come before is no invention.
  while (const std::optional<fleet::JobEnded> ended = fleet_.TakeEnded(jobs)) {
    jobs.erase(ended->result.id);
    fleet_.Record(*ended);
  }
  ASSERT_FALSE(jobs.empty());
  const auto end = std::chrono::steady_clock::now() + milliseconds{1'000};
  while (std::chrono::steady_clock::now() < end) {
    ASSERT_FALSE(fleet_.TakeEnded(jobs).has_value()) << "an answer, and no board to give it";
    std::this_thread::sleep_for(milliseconds{20});
  }
  for (const auto& site : sites_) site->daemon.Restart(/*same_port=*/true);
  for (const JobId job : jobs) ExpectMeasured(job);
}

}  // namespace
}  // namespace bitpilot
