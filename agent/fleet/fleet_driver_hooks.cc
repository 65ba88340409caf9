// FleetDriver's part that runs the commands which switch boards off and on.
#include <poll.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/power_hook.h"
#include "agent/fleet/steady_now.h"

namespace bitpilot {

void FleetDriver::Do(fleet::CutPower& action) {
  const FleetBoard& board = driven_.at(action.board).board;
  power_hooks_.emplace_back(
      action.board,
      std::make_unique<PowerHook>(board.power_cycle, board.client.board_name, SteadyNow()));
}

void FleetDriver::LookAfterHooks() {
  for (auto& [id, status] : TakeEndedHooks()) Step(fleet::PowerCycled{id, std::move(status)});
}

std::vector<std::pair<fleet::BoardId, Status>> FleetDriver::TakeEndedHooks() {
  std::vector<std::pair<fleet::BoardId, Status>> ended;
  std::erase_if(power_hooks_, [&ended](const auto& running) {
    std::optional<Status> status = running.second->Ended(SteadyNow());
    if (status) ended.emplace_back(running.first, std::move(*status));
    return status.has_value();
  });
  return ended;
}

// The end of the thread. Of what it did before, nobody is told any more.
void FleetDriver::FinishHooks() {
  std::unique_lock<std::mutex> lock(mutex_);
  notices_.Clear();
  std::map<fleet::BoardId, std::string> names;
  for (const auto& [id, hook] : power_hooks_) {
    names[id] = "board '" + hook->board_name() + "'";
    notices_.Add({names[id] + " is being power-cycled: waiting up to " +
                  std::to_string(PowerHook::kLimit.count() / 1000) +
                  " s for that to end, or it might stay off"},
                 SteadyNow());
  }
  while (!power_hooks_.empty()) {
    lock.unlock();
    poll(nullptr, 0, static_cast<int>(PowerHook::kPoll.count()));
    lock.lock();
    for (const auto& [id, status] : TakeEndedHooks()) {
      if (status.ok()) continue;
      notices_.Add({names[id] + " could not be power-cycled, and may be off: " + status.message()},
                   SteadyNow());
    }
  }
  has_ended_ = true;
  changed_.notify_all();
}

}  // namespace bitpilot
