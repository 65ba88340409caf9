// FleetCore's part that deals with time and with who gets what.
#include <algorithm>
#include <string>
#include <utility>

#include "agent/fleet/board_reports.h"
#include "agent/fleet/fleet_core.h"
#include "agent/fleet/fleet_state.h"

namespace bitpilot::fleet {

// ---- Time

std::optional<Instant> FleetCore::NextWakeup() const {
  std::optional<Instant> next;
  const auto consider = [&](Instant when) { next = std::min(next.value_or(when), when); };
  if (!wakeups_.empty()) consider(wakeups_.begin()->first);
  for (const auto& [lane, use] : lanes_) {
    if (use.jobs == 0 || !use.without_since) continue;
    if (!use.is_old) consider(*use.without_since + kTellLaneAfter);
    consider(*use.without_since + options_.max_wait);
  }
  for (const auto& [tag, since] : gathering_since_) consider(since + options_.class_gathering);
  for (const JobId id : choosy_jobs_) {
    const std::optional<Instant>& since = jobs_.at(id)->stranded_since;
    if (since) consider(*since + options_.max_wait);
  }
  return next;
}

void FleetCore::RunTimers() {
  std::vector<BoardId> due;
  for (const auto& [when, id] : wakeups_) {
    if (when > now_) break;
    due.push_back(id);
  }
  for (const BoardId id : due) {
    if (Board* board = Find(id)) RunTimersOf(*board);
  }
  const std::map<std::string, Instant> gathering = gathering_since_;
  for (const auto& [tag, since] : gathering) {
    if (now_ >= since + options_.class_gathering) SettleClass(tag);
  }
}

void FleetCore::RunTimersOf(Board& board) {
  Touch(board);
  const std::optional<Instant> client = board.client->NextWakeup();
  if (client && *client <= now_) StepClient(board, bitpilot::TimePassed{});
  const std::optional<Instant> look_again_at = LookAgainAt(board);
  if (look_again_at && now_ >= *look_again_at) return StartClient(board);
  if (is_closing_ || board.is_closing) return;
  if (board.failure && options_.retry_failed_after &&
      now_ >= board.failed_at + *options_.retry_failed_after) {
    return StartClient(board);
  }
  if (!board.is_held && MayCutPower(board) && now_ >= PowerCycleAt(board)) {
    CutPowerOf(board, "it has not answered for " + SecondsOf(now_ - board.unanswered_since));
  }
  const bool is_stranded = board.job && !board.is_held && !queue_.Contains(*board.job);
  if (is_stranded && now_ >= board.away_since + options_.move_after) {
    Job& job = *jobs_.at(*board.job);
    if (!job.is_given) return TakeBack(board);
    queue_.Add(job.entry);  // the board, if it comes back first, goes on with it
    has_new_work_ = true;
  }
  if (board.health.is_quarantined() && board.is_held && !board.job && !board.check &&
      options_.health_check && now_ >= board.health.check_at()) {
    StartCheck(board);
  }
}

// Somebody works with a board that says no, or on it: who drained it may have unplugged it since.
bool FleetCore::MayCutPower(const Board& board) const {
  return board.spec.has_power_cycle && !board.failure && board.absence == Absence::kNoAnswer &&
         !board.is_drained && !IsLeftOut(board) &&
         board.health.power_cycles < options_.max_power_cycles;
}

Instant FleetCore::PowerCycleAt(const Board& board) const {
  return std::max(board.unanswered_since + options_.power_cycle_after,
                  board.health.next_power_cycle);
}

std::optional<Instant> FleetCore::WakeupOf(const Board& board) const {
  std::optional<Instant> next = board.client->NextWakeup();
  const auto consider = [&](Instant when) { next = std::min(next.value_or(when), when); };
  if (const std::optional<Instant> at = LookAgainAt(board)) consider(*at);
  if (is_closing_ || board.is_closing) return next;
  if (board.failure) {
    if (options_.retry_failed_after) consider(board.failed_at + *options_.retry_failed_after);
    return next;
  }
  if (!board.is_held) {
    if (MayCutPower(board)) consider(PowerCycleAt(board));
    if (board.job && !queue_.Contains(*board.job)) consider(board.away_since + options_.move_after);
    return next;
  }
  if (board.resting_until > now_) consider(board.resting_until);
  if (const std::optional<Instant> at = GiveBackAt(board)) consider(*at);
  if (board.health.is_quarantined() && !board.job && !board.check && options_.health_check) {
    consider(board.health.check_at());
  }
  return next;
}

// ---- Who works

bool FleetCore::CanWork(const Board& board) const { return board.is_held && MayGoOn(board); }

bool FleetCore::MayGoOn(const Board& board) {
  return !board.failure && !board.is_leaving && !board.is_closing && !board.health.is_quarantined();
}

bool FleetCore::IsIdle(const Board& board) const {
  return CanWork(board) && !board.check && now_ >= board.resting_until &&
         (!board.job || !jobs_.at(*board.job)->is_given);
}

bool FleetCore::IsLeftOut(const Board& board) const {
  return board.info.has_value() && board.lanes.size() == 1 && board.gathers_for.empty() &&
         board.waits_for.empty();
}

std::optional<Instant> FleetCore::LookAgainAt(const Board& board) const {
  const bool is_put_aside = IsLeftOut(board) && board.is_link_closed && !board.is_leaving;
  if (!is_put_aside || is_closing_) return std::nullopt;
  return board.looked_at + options_.look_again_after;
}

bool FleetCore::IsWanted(const Board& board) const {
  const auto own = lanes_.find(Lane{"", board.spec.id});
  return own != lanes_.end() && own->second.jobs > 0;
}

bool FleetCore::HasWorkFor(const Board& board) const {
  return std::any_of(board.lanes.begin(), board.lanes.end(), [this](const Lane& lane) {
    const auto use = lanes_.find(lane);
    return use != lanes_.end() && use->second.jobs > 0;
  });
}

bool FleetCore::IsLockedOut() const {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& one) {
    return one.second.jobs > 0 && one.second.is_held_by_others;
  });
}

std::optional<Instant> FleetCore::GiveBackAt(const Board& board) const {
  if (!board.idle_since || !board.client->has_reservation()) return std::nullopt;
  if (board.spec.client.lease.kind != LeaseKind::kPerJob && !IsLockedOut()) return std::nullopt;
  return *board.idle_since + options_.give_back_after;
}

bool FleetCore::Serves(const Board& board, const Lane& lane) const {
  return std::find(board.lanes.begin(), board.lanes.end(), lane) != board.lanes.end();
}

bool FleetCore::MayServe(const Board& board, const Lane& lane) const {
  if (lane.only_on) return *lane.only_on == board.spec.id;
  if (!board.info) return IsListedFor(board, lane.tag);
  const auto names_it = [&](const std::string& tag) { return tag == lane.tag; };
  return Serves(board, lane) ||
         std::any_of(board.gathers_for.begin(), board.gathers_for.end(), names_it) ||
         std::any_of(board.waits_for.begin(), board.waits_for.end(), names_it);
}

bool FleetCore::IsListedFor(const Board& board, const std::string& tag) {
  const std::vector<std::string>& tags = board.spec.tags;
  return tag.empty() || std::find(tags.begin(), tags.end(), tag) != tags.end();
}

bool FleetCore::IsHopeless(const Board& board) const {
  return board.failure.has_value() && !options_.retry_failed_after;
}

void FleetCore::Schedule() {
  do {
    const bool is_for_all = std::exchange(has_new_work_, false);
    const std::set<BoardId> touched = touched_;
    RefreshTouched();
    if (is_closing_) continue;
    std::vector<BoardId> candidates;
    for (const auto& [use, id] : idle_) {
      if (is_for_all || touched.contains(id)) candidates.push_back(id);
    }
    for (const BoardId id : candidates) {
      if (Board* board = Find(id); board != nullptr && IsIdle(*board)) GiveNext(*board);
    }
  } while (!touched_.empty() || has_new_work_);
}

void FleetCore::RefreshTouched() {
  for (const BoardId id : std::exchange(touched_, {})) {
    Board* board = Find(id);
    if (board == nullptr) continue;
    Refresh(*board);
    if (!board->is_leaving || !(board->is_link_closed || board->failure)) continue;
    if (board->wakeup) wakeups_.erase({*board->wakeup, id});
    boards_.erase(id);
    lanes_changed_ = true;
    actions_.emplace_back(BoardGone{id});
  }
  if (!is_closing_ || is_closed_) return;
  is_closed_ = std::all_of(boards_.begin(), boards_.end(), [](const auto& one) {
    return one.second->is_link_closed || one.second->failure;
  });
  if (is_closed_) actions_.emplace_back(FleetClosed{});
}

// What follows from a board's state, and what others know of it.
void FleetCore::Refresh(Board& board) {
  const bool is_at_rest = !board.job && !board.check && !board.is_leaving && !is_closing_;
  const bool is_without_work = board.is_held && is_at_rest && !HasWorkFor(board);
  if (!is_without_work) board.idle_since.reset();
  if (is_without_work && !board.idle_since) board.idle_since = now_;
  const std::optional<Instant> give_back_at = GiveBackAt(board);
  board.is_given_back =
      (board.is_given_back && !HasWorkFor(board)) || (give_back_at && now_ >= *give_back_at);
  // Who has no use for a board does not keep it from others.
  const bool is_useless =
      board.is_given_back || (IsLeftOut(board) && !IsWanted(board) && !board.is_unseen);
  if (is_useless && is_at_rest && !board.is_closing && !board.failure) {
    board.is_closing = true;
    StepClient(board, bitpilot::CloseRequested{});
  } else if (!is_useless && is_at_rest && board.is_link_closed) {
    StartClient(board);
  }
  auto [state, why] = StateOf(board);
  if (IsOnHand(state)) board.off_hand_since.reset();
  if (!IsOnHand(state) && !board.off_hand_since) board.off_hand_since = now_;
  if (state != board.told_state || why != board.told_why) {
    board.told_state = state;
    board.told_why = why;
    actions_.emplace_back(
        BoardChanged{board.spec.id, state, std::move(why), board.failure.value_or(Status())});
  }
  const bool can_work = CanWork(board);
  if (can_work != board.could_work && !known_at_.empty()) KeepForWhoKnowsAll();
  lanes_changed_ = lanes_changed_ || can_work != board.could_work ||
                   board.failure.has_value() != board.had_failed;
  board.could_work = can_work;
  board.had_failed = board.failure.has_value();
  const bool is_idle = IsIdle(board);
  if (board.was_idle) idle_.erase({board.last_use, board.spec.id});
  if (is_idle) idle_.insert({board.last_use, board.spec.id});
  board.was_idle = is_idle;
  const std::optional<Instant> wakeup = WakeupOf(board);
  if (wakeup == board.wakeup) return;
  if (board.wakeup) wakeups_.erase({*board.wakeup, board.spec.id});
  if (wakeup) wakeups_.insert({*wakeup, board.spec.id});
  board.wakeup = wakeup;
}

void FleetCore::GiveNext(Board& board) {
  if (board.job) return Give(board, *jobs_.at(*board.job));
  while (const std::optional<JobId> id = queue_.Take(board.lanes, board.spec.id)) {
    Job& job = *jobs_.at(*id);
    if (job.on) {
      Board& lost = *boards_.at(*job.on);
      lost.job.reset();
      StepClient(lost, JobCancelled{*id});
      const std::string why = "was away for " + SecondsOf(now_ - lost.away_since);
      if (!EndLostAttempt(job, lost, {StatusCode::kUnavailable, why})) continue;
    }
    return Give(board, job);
  }
}

void FleetCore::Give(Board& board, Job& job) {
  Touch(board);
  if (board.was_idle) idle_.erase({board.last_use, board.spec.id});
  board.was_idle = false;
  board.last_use = ++uses_;
  board.job = job.id();
  job.on = board.spec.id;
  job.is_given = job.was_given = true;
  job.entry.kept_for.reset();
  // The last attempt's id is for the board that may know it alone.
  JobRequest request = job.spec.request;
  if (job.is_measurement()) {
    if (job.id_known_to && *job.id_known_to != board.spec.id) TakeNewId(job);
    job.id_known_to = board.spec.id;
    auto& input = std::get<MeasureInput>(request.input);
    input.measure_id = job.measure_id;
    input.kernel_choices = KernelsFor(board, job);
  }
  StepClient(board, JobSubmitted{std::move(request)});
}

}  // namespace bitpilot::fleet
