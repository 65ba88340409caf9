// World's part that breaks things, and ends that.
#include <algorithm>
#include <string>
#include <utility>

#include "experiments/reliability/sim_agent.h"
#include "experiments/reliability/sim_board.h"
#include "experiments/reliability/world.h"

namespace bitpilot::simulation {
namespace {

using std::chrono::milliseconds;

}  // namespace

World::Link World::AnyLink() {
  return {random_.Below(static_cast<int>(scenario_.agents.size())), random_.Below(num_boards())};
}

void World::BreakThings() {
  if (!has_faults()) return;
  After(kFaultPeriod, [this] { BreakThings(); });
  const Faults& faults = scenario_.faults;
  const Link link = AnyLink();
  const auto [agent, index] = link;
  const std::string names =
      "of agent " + std::to_string(agent) + " and board " + std::to_string(index);
  const bool is_outward = ConnectsOut(index);
  if (random_.Permille(faults.broken) && (is_outward || current_.contains(link))) {
    Trace("the link " + names + " breaks");
    oracle_.OnDisturbed(agent, index, now_);
    // Every other one is half open: nobody says a word.
    if (is_outward) {
      BreakOutward(link, random_.Permille(500), random_.Permille(500));
    } else {
      connections_.erase(current_.at(link));
      if (random_.Permille(500)) TellDown(link, "connection reset");
    }
  }
  if (is_outward && random_.Permille(faults.replaced)) {
    Trace("the board alone sees that the link " + names + " ends");
    oracle_.OnDisturbed(agent, index, now_);
    BreakOutward(link, /*board_sees=*/true, /*agent_sees=*/false);
  }
  if (random_.Permille(faults.partitioned)) {
    const milliseconds until = now_ + random_.Time(500, 40'000);
    const int which = random_.Below(3);
    if (which != 0) partitions_[{link, true}] = until;
    if (which != 1) partitions_[{link, false}] = until;
    oracle_.OnDisturbed(agent, index, until);
    Trace("the link " + names + " is cut until " + std::to_string(until.count()));
    if (is_outward) CheckHeartbeats(link);
  }
  BreakBoard(index);
  SimAgent& one = *agents_[static_cast<std::size_t>(agent)];
  if (random_.Permille(faults.agent_crashes)) {
    Trace("agent " + std::to_string(agent) + " is killed");
    one.Crash();
    After(random_.Time(10, 40'000), [&one] { one.Start(); });
  }
  if (random_.Permille(faults.agent_freezes)) one.Freeze(random_.Time(1'000, 60'000));
  if (random_.Permille(faults.leaves)) one.LeaveBoard(index, random_.Time(1'000, 20'000));
}

void World::BreakBoard(int index) {
  const Faults& faults = scenario_.faults;
  SimBoard& victim = board(index);
  if (random_.Permille(faults.board_crashes)) {
    Trace("board " + std::to_string(index) + " crashes");
    victim.Crash();
    After(random_.Time(100, 40'000), [&victim] { victim.Start(); });
  }
  if (random_.Permille(faults.board_hangs)) {
    Trace("board " + std::to_string(index) + " hangs");
    if (random_.Permille(500)) {
      victim.Hang(std::nullopt);
    } else {
      victim.Hang(random_.Time(1'000, 60'000));
    }
  }
  if (random_.Permille(faults.slow_boards)) victim.SlowDown(random_.Time(5'000, 60'000));
  if (random_.Permille(faults.drains)) {
    victim.SetDrained(true);
    After(random_.Time(2'000, 40'000), [&victim] { victim.SetDrained(false); });
  }
}

// What hangs until somebody cuts its power, and nobody will, comes to itself. The rest must recover from
// what happened to it.
void World::Heal() {
  Trace("faults end");
  partitions_.clear();
  for (const auto& one : boards_) one->SetDrained(false);
  for (int index = 0; index < num_boards(); ++index) {
    SimBoard& one = board(index);
    if (scenario_.restarts_all) {
      one.Crash();
      After(random_.Time(0, 5'000), [&one] { one.Start(); });
    } else if (one.hangs_for_good() && !WillBeCycled(index)) {
      one.ComeToItself();
    }
  }
}

bool World::WillBeCycled(int index) {
  // Who drained it must reach it first.
  if (board(index).is_drained()) return false;
  for (std::size_t i = 0; i < agents_.size(); ++i) {
    const bool may_cut = oracle_.MayCutPower(static_cast<int>(i), index, SimAgent::kMaxPowerCycles);
    if (!agents_[i]->is_done() && !may_cut) return false;
  }
  return true;
}

}  // namespace bitpilot::simulation
