// FleetCore's part that deals with boards: their clients, classes, quarantine and power.
#include <string>
#include <utility>

#include "agent/fleet/board_conditions.h"
#include "agent/fleet/class_name.h"
#include "agent/fleet/fleet_core.h"
#include "agent/fleet/fleet_state.h"
#include "kernels/base/check.h"

namespace bitpilot::fleet {
namespace {

// What makes two boards of a class unlike, their names aside.
std::string ClassDifference(BoardInfo before, const BoardInfo& now) {
  before.name = now.name;
  return DescribeFingerprintChange(before, now);
}

}  // namespace

std::string FleetCore::Label(const Board& board) const { return board.client->BoardLabel(); }

void FleetCore::StartClient(Board& board) {
  Touch(board);
  ClientOptions options = board.spec.client;
  options.jitter_seed += static_cast<std::uint64_t>(board.num_clients++);
  board.client = std::make_unique<ClientCore>(std::move(options));
  board.failure.reset();
  board.is_link_closed = board.is_closing = false;
  board.is_held = board.is_held_by_other = false;
  board.away_why.clear();
  board.away_since = now_;
  StepClient(board, Started{});
}

void FleetCore::StepClient(Board& board, ClientEvent event) {
  Touch(board);
  std::vector<ClientAction> actions = board.client->Step(std::move(event), now_);
  // What goes to the link goes first: later steps of this client, which what follows may take, come
  // after it. A board's failure explains those of its jobs.
  for (ClientAction& action : actions) {
    const bool is_for_link = std::holds_alternative<OpenLink>(action) ||
                             std::holds_alternative<CloseLink>(action) ||
                             std::holds_alternative<SendMessage>(action);
    if (const auto* failed = std::get_if<BoardFailed>(&action)) On(board, *failed);
    if (is_for_link) actions_.emplace_back(LinkAction{board.spec.id, std::move(action)});
  }
  for (ClientAction& action : actions) {
    if (auto* ready = std::get_if<BoardReady>(&action)) {
      On(board, *ready);
    } else if (auto* away = std::get_if<BoardAway>(&action)) {
      On(board, *away);
    } else if (auto* back = std::get_if<BoardBack>(&action)) {
      On(board, *back);
    } else if (auto* notice = std::get_if<BoardNotice>(&action)) {
      actions_.emplace_back(Notice{std::move(notice->text)});
    } else if (auto* finished = std::get_if<JobFinished>(&action)) {
      OnJobFinished(board, std::move(finished->result));
    } else if (std::holds_alternative<Closed>(action)) {
      board.is_held = false;
      board.is_link_closed = true;
    }
  }
}

void FleetCore::On(Board& board, const BoardReady& action) {
  // Another machine may answer for it now.
  if (board.info && FingerprintOf(*board.info) != FingerprintOf(action.info)) {
    board.judgements.clear();
  }
  board.info = action.info;
  actions_.emplace_back(BoardDescribed{board.spec.id, action.info});
  JoinClasses(board);
}

void FleetCore::Handle(BoardJudged& event) {
  Board* board = Find(event.board);
  if (board == nullptr || !board->info || is_closing_) return;
  board->judgements[event.tag] = event;
  Touch(*board);
  JoinClasses(*board);
  has_new_work_ = true;
}

void FleetCore::JoinClasses(Board& board) {
  board.lanes = {Lane{"", board.spec.id}};
  board.waits_for.clear();
  const std::string told = std::exchange(board.left_out_why, "");
  lanes_changed_ = true;
  const auto is_judged_out = [&](const std::string& tag) {
    if (!options_.judged_classes.contains(tag)) return false;
    const auto judged = board.judgements.find(tag);
    if (judged == board.judgements.end()) {
      board.waits_for.push_back(tag);
      return true;
    }
    if (!judged->second.is_pooled) board.left_out_why = judged->second.why;
    return !judged->second.is_pooled;
  };
  const auto join = [&](const std::string& tag) {
    const BoardInfo& like = class_infos_.try_emplace(tag, *board.info).first->second;
    std::string difference = ClassDifference(like, *board.info);
    if (difference.empty() && !is_judged_out(tag)) board.lanes.push_back(Lane{tag, {}});
    return difference;
  };
  const auto leave_out = [&](const std::string& of, const std::string& difference) {
    board.left_out_why = difference;
    if (difference == told) return;
    actions_.emplace_back(Notice{Label(board) + " is left out of " + of +
                                 ", whose other boards it is unlike: " + difference});
  };
  for (const std::string& tag : board.spec.tags) {
    const std::string difference = join(tag);
    if (!difference.empty()) leave_out(ClassLabel(tag), difference);
  }
  // Beside a class of its own that of all boards, if it is like them.
  if (!board.spec.tags.empty() && board.lanes.size() == 1) return;
  const std::string difference = join("");
  if (!difference.empty() && board.spec.tags.empty()) leave_out("this fleet", difference);
}

void FleetCore::On(Board& board, const BoardAway& action) {
  if (board.is_held || board.away_why.empty()) board.away_since = now_;
  board.is_held = false;
  board.is_held_by_other = action.held_by_other;
  board.away_why = action.why;
}

void FleetCore::On(Board& board, const BoardBack& action) {
  board.is_held = true;
  board.is_held_by_other = false;
  board.away_why.clear();
  if (board.job) queue_.Remove(*board.job);  // it goes on here
  const BoardId id = board.spec.id;
  const std::size_t forgotten =
      std::erase_if(known_at_, [id](const auto& one) { return one.second == id; });
  if (forgotten == 0 && action.known_measure_ids.empty()) return;
  for (const std::string& measure_id : action.known_measure_ids) known_at_[measure_id] = id;
  actions_.emplace_back(MeasurementsKnown{id, action.known_measure_ids});
  KeepForWhoKnowsAll();
}

void FleetCore::On(Board& board, const BoardFailed& action) {
  board.failure = action.status;
  board.failed_at = now_;
  board.is_held = false;
  lanes_changed_ = true;
  if (boards_.size() > 1) {
    actions_.emplace_back(Notice{"a board failed: " + action.status.message()});
  }
  // One that it was about to go on with.
  if (board.job && !jobs_.at(*board.job)->is_given) TakeBack(board);
}

void FleetCore::Quarantine(Board& board, const std::string& why) {
  if (board.health.is_quarantined()) return;
  Touch(board);
  board.health.Quarantine(why, now_, options_);
  actions_.emplace_back(Notice{Label(board) + " is quarantined: " + why +
                               (options_.health_check ? ". A health check that passes releases it"
                                                      : ". `bitpilot fleet release` releases it")});
  if (board.job && !jobs_.at(*board.job)->is_given) TakeBack(board);
}

void FleetCore::StartCheck(Board& board) {
  JobRequest request = *options_.health_check;
  request.id = kCheckIds + ++last_check_;
  auto& input = std::get<MeasureInput>(request.input);
  input.measure_id = AttemptId(input.measure_id, static_cast<int>(last_check_));
  board.check = request.id;
  StepClient(board, JobSubmitted{std::move(request)});
}

void FleetCore::OnCheckEnded(Board& board, const JobResult& result) {
  board.check.reset();
  const MeasureStatus status = result.measurement.status;
  if (result.status.ok()) {
    // Nobody else records it.
    const auto& base = std::get<MeasureInput>(options_.health_check->input).measure_id;
    StepClient(board, ResultRecorded{AttemptId(base, static_cast<int>(result.id - kCheckIds))});
  }
  if (!board.health.is_quarantined()) return;  // released by order meanwhile
  if (result.status.ok() && HasNumbers(status)) {
    board.health.Release();
    actions_.emplace_back(Notice{Label(board) + " passed its health check and is used again"});
    return;
  }
  const std::string why =
      "the health check failed: " +
      (result.status.ok() ? std::string(ToString(status)) + " " + result.measurement.detail
                          : result.status.message());
  board.health.OnCheckFailed(why, now_, options_);
  if (result.status.ok() && MayCutPower(board)) CutPowerOf(board, why);
}

void FleetCore::CutPowerOf(Board& board, const std::string& why) {
  BoardHealth& health = board.health;
  ++health.power_cycles;
  health.next_power_cycle = now_ + options_.boot_time;
  actions_.emplace_back(Notice{Label(board) + " is power-cycled, " +
                               std::to_string(health.power_cycles) + " of at most " +
                               std::to_string(options_.max_power_cycles) + " times: " + why});
  actions_.emplace_back(CutPower{board.spec.id});
}

std::pair<BoardState, std::string> FleetCore::StateOf(const Board& board) const {
  if (board.is_leaving) return {BoardState::kLeaving, ""};
  if (board.failure) return {BoardState::kFailed, board.failure->message()};
  if (board.is_draining && !board.job) return {BoardState::kDraining, ""};
  if (IsLeftOut(board) && !board.job) return {BoardState::kLeftOut, board.left_out_why};
  if (board.is_given_back && !board.job) return {BoardState::kGivenBack, ""};
  if (!board.is_held) {
    if (board.is_held_by_other) return {BoardState::kHeld, board.away_why};
    return {board.info ? BoardState::kAway : BoardState::kConnecting, board.away_why};
  }
  if (board.check) return {BoardState::kChecking, board.health.why()};
  if (board.job) return {BoardState::kBusy, ""};
  if (board.health.is_quarantined()) return {BoardState::kQuarantined, board.health.why()};
  if (now_ < board.resting_until) return {BoardState::kResting, "not fit to measure"};
  return {BoardState::kReady, ""};
}

}  // namespace bitpilot::fleet
