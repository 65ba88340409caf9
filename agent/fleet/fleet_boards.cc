// FleetCore's part that deals with boards: their clients, classes, quarantine and power.
#include <algorithm>
#include <map>
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

bool Contains(const std::vector<std::string>& tags, const std::string& tag) {
  return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

}  // namespace

std::string FleetCore::Label(const Board& board) const { return board.client->BoardLabel(); }

std::string FleetCore::NameOf(const Board& board) { return board.spec.client.board_name; }

void FleetCore::StartClient(Board& board) {
  Touch(board);
  ClientOptions options = board.spec.client;
  options.jitter_seed += static_cast<std::uint64_t>(board.num_clients++);
  board.client = std::make_unique<ClientCore>(std::move(options));
  board.failure.reset();
  board.is_link_closed = board.is_closing = false;
  board.is_held = false;
  board.absence = Absence::kNoAnswer;
  board.away_why.clear();
  board.away_since = board.unanswered_since = now_;
  board.is_unseen = true;
  board.is_given_back = false;  // or it would be again before it could say what it is
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
      actions_.emplace_back(
          Notice{std::move(notice->text), std::move(notice->group), NameOf(board)});
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
  board.is_unseen = false;
  board.looked_at = now_;
  actions_.emplace_back(BoardDescribed{board.spec.id, action.info});
  for (const std::string& tag : board.spec.tags) SettleClass(tag);
  SettleClass("");
  JoinClasses(board);
}

void FleetCore::Handle(BoardJudged& event) {
  Board* board = Find(event.board);
  if (board == nullptr || !board->info || is_closing_) return;
  if (FingerprintOf(*board->info) != event.fingerprint) return;
  board->judgements[event.tag] = event;
  board->looked_at = now_;
  JoinClasses(*board);
  has_new_work_ = true;
}

void FleetCore::SettleClass(const std::string& tag) {
  if (class_infos_.contains(tag)) return;
  struct Kind {
    const BoardInfo* info = nullptr;
    int boards = 0;
  };
  std::map<std::string, Kind> kinds;
  int listed = 0;
  int known = 0;
  const Kind* most = nullptr;
  for (const auto& [id, board] : boards_) {
    if (board->is_leaving || IsHopeless(*board) || !IsListedFor(*board, tag)) continue;
    ++listed;
    if (!board->info) continue;
    ++known;
    Kind& kind = kinds[ClassFingerprintOf(*board->info)];
    if (++kind.boards == 1) kind.info = &*board->info;
    // Of equally many, those of whom the first was listed first.
    if (most == nullptr || kind.boards > most->boards) most = &kind;
  }
  if (most == nullptr) {
    gathering_since_.erase(tag);
    return;
  }
  const Instant since = gathering_since_.try_emplace(tag, now_).first->second;
  const bool is_settled =
      known == listed || 2 * most->boards > listed || now_ >= since + options_.class_gathering;
  if (!is_settled) return;
  class_infos_.emplace(tag, *most->info);
  gathering_since_.erase(tag);
  for (const auto& [id, board] : boards_) {
    if (Contains(board->gathers_for, tag)) JoinClasses(*board);
  }
}

void FleetCore::JoinClasses(Board& board) {
  Touch(board);
  board.lanes = {Lane{"", board.spec.id}};
  board.gathers_for.clear();
  board.waits_for.clear();
  board.left_out_why.clear();
  const std::map<std::string, std::string> told = std::exchange(board.left_out_of, {});
  lanes_changed_ = true;
  const auto serve = [&](const std::string& tag) {
    board.lanes.push_back(Lane{tag, {}});
    if (!tag.empty()) board.lanes.push_back(Lane{tag, board.spec.id});
  };
  // Of a class that it is like.
  const auto join_if_judged_so = [&](const std::string& tag) {
    const auto judged = board.judgements.find(tag);
    if (!options_.judged_classes.contains(tag)) {
      serve(tag);
    } else if (judged == board.judgements.end()) {
      board.waits_for.push_back(tag);
    } else if (judged->second.is_pooled) {
      serve(tag);
    } else {
      board.left_out_why = judged->second.why;
    }
  };
  const auto join = [&](const std::string& tag) {
    const auto like = class_infos_.find(tag);
    if (like == class_infos_.end()) return board.gathers_for.push_back(tag);
    const std::string difference = ClassDifference(like->second, *board.info);
    const auto before = told.find(tag);
    const std::string of = ClassLabel(tag);
    if (difference.empty()) {
      if (before != told.end()) {
        actions_.emplace_back(Notice{Label(board) + " is like the other boards of " + of + " now",
                                     "are like the others of " + of + " now", NameOf(board)});
      }
      return join_if_judged_so(tag);
    }
    // Beside a class of its own that of all boards is only if it is like them.
    if (tag.empty() && !board.spec.tags.empty()) return;
    board.left_out_of[tag] = board.left_out_why = difference;
    if (before == told.end() || before->second != difference) {
      actions_.emplace_back(Notice{Label(board) + " is left out of " + of +
                                       ", whose other boards it is unlike: " + difference,
                                   "are left out of " + of, NameOf(board)});
    }
  };
  for (const std::string& tag : board.spec.tags) join(tag);
  if (board.spec.tags.empty() || board.lanes.size() > 1) join("");
  // It goes on with what it had if its class still has it.
  if (board.job && !Serves(board, jobs_.at(*board.job)->entry.lane)) {
    TakeBack(board, board.left_out_why.empty()
                        ? "it came back different, and is to be judged anew"
                        : "it is not like its class any more: " + board.left_out_why);
  }
  if (!known_at_.empty()) KeepForWhoKnowsAll();
}

std::string FleetCore::WhyLeftOut(const Board& board, const std::string& tag) const {
  const auto unlike = board.left_out_of.find(tag);
  if (unlike != board.left_out_of.end()) return unlike->second;
  const auto judged = board.judgements.find(tag);
  const bool is_out = options_.judged_classes.contains(tag) && judged != board.judgements.end() &&
                      !judged->second.is_pooled;
  return is_out ? judged->second.why : std::string();
}

void FleetCore::On(Board& board, const BoardAway& action) {
  if (board.is_held || board.away_why.empty()) board.away_since = now_;
  if (board.is_held || board.absence != Absence::kNoAnswer) board.unanswered_since = now_;
  board.is_held = false;
  board.absence = action.absence;
  if (action.absence != Absence::kNoAnswer) board.is_drained = action.absence == Absence::kDrained;
  board.away_why = action.why;
}

void FleetCore::On(Board& board, const BoardBack& action) {
  board.is_held = true;
  board.told_failure.clear();
  board.is_drained = false;
  board.absence = Absence::kNoAnswer;
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
  // Whoever is asked again every minute says the same every minute.
  const bool is_told =
      std::exchange(board.told_failure, action.status.message()) == action.status.message();
  if (boards_.size() > 1 && !is_told) {
    actions_.emplace_back(
        Notice{"a board failed: " + action.status.message(), "failed", NameOf(board)});
  }
  // One that it was about to go on with.
  if (board.job && !jobs_.at(*board.job)->is_given) TakeBack(board);
}

void FleetCore::Quarantine(Board& board, const std::string& why) {
  if (board.health.is_quarantined()) return;
  Touch(board);
  board.health.Quarantine(why, now_, options_);
  actions_.emplace_back(
      Notice{Label(board) + " is quarantined: " + why +
                 (options_.health_check ? ". A health check that passes releases it" : ""),
             "are quarantined", NameOf(board)});
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
  if (result.status.ok() && HasNumbers(status)) {
    board.health.Release();
    actions_.emplace_back(Notice{Label(board) + " passed its health check and is used again",
                                 "passed their health checks and are used again", NameOf(board)});
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
  health.last_power_cycle = now_;
  health.next_power_cycle = now_ + options_.boot_time;
  actions_.emplace_back(Notice{Label(board) + " is power-cycled, " +
                                   std::to_string(health.power_cycles) + " of at most " +
                                   std::to_string(options_.max_power_cycles) + " times: " + why,
                               "are power-cycled", NameOf(board)});
  actions_.emplace_back(CutPower{board.spec.id});
}

std::pair<BoardState, std::string> FleetCore::StateOf(const Board& board) const {
  if (board.is_leaving) return {BoardState::kLeaving, ""};
  if (board.failure) return {BoardState::kFailed, board.failure->message()};
  if (IsLeftOut(board) && !board.job) return {BoardState::kLeftOut, board.left_out_why};
  if (board.is_given_back && !board.job) return {BoardState::kGivenBack, ""};
  if (!board.is_held) {
    if (board.absence == Absence::kHeldByOther) return {BoardState::kHeld, board.away_why};
    if (board.absence == Absence::kDrained) return {BoardState::kDraining, board.away_why};
    return {board.info ? BoardState::kAway : BoardState::kConnecting, board.away_why};
  }
  if (board.check) return {BoardState::kChecking, board.health.why()};
  if (board.job) return {BoardState::kBusy, ""};
  if (board.health.is_quarantined()) return {BoardState::kQuarantined, board.health.why()};
  if (now_ < board.resting_until) return {BoardState::kResting, "not fit to measure"};
  return {BoardState::kReady, ""};
}

}  // namespace bitpilot::fleet
