#include "agent/fleet/fleet_core.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "agent/fleet/fleet_state.h"
#include "kernels/base/check.h"
#include "kernels/base/sha256.h"

namespace bitpilot::fleet {

std::string AttemptId(const std::string& job_id, int attempt) {
  if (attempt == 0) return job_id;
  const Sha256Digest digest = ComputeSha256(job_id + " attempt " + std::to_string(attempt));
  return std::string(digest.begin(), digest.begin() + static_cast<std::ptrdiff_t>(job_id.size()));
}

std::string_view ToString(BoardState state) {
  switch (state) {
    case BoardState::kConnecting:
      return "CONNECTING";
    case BoardState::kReady:
      return "READY";
    case BoardState::kBusy:
      return "BUSY";
    case BoardState::kResting:
      return "RESTING";
    case BoardState::kHeld:
      return "HELD";
    case BoardState::kAway:
      return "AWAY";
    case BoardState::kQuarantined:
      return "QUARANTINED";
    case BoardState::kChecking:
      return "CHECKING";
    case BoardState::kDraining:
      return "DRAINING";
    case BoardState::kLeftOut:
      return "LEFT_OUT";
    case BoardState::kFailed:
      return "FAILED";
    case BoardState::kGivenBack:
      return "GIVEN_BACK";
    case BoardState::kLeaving:
      return "LEAVING";
  }
  return "UNKNOWN";
}

FleetCore::FleetCore(FleetOptions options) : options_(std::move(options)) {
  class_infos_ = options_.expected;
}

FleetCore::~FleetCore() = default;

std::vector<Action> FleetCore::Step(Event event, Instant now) {
  BITPILOT_CHECK(now >= now_);
  now_ = now;
  actions_.clear();
  std::visit([this](auto& e) { Handle(e); }, event);
  RunTimers();
  do {
    Schedule();
    CheckLanes();
  } while (!touched_.empty() || has_new_work_ || lanes_changed_);
  return std::move(actions_);
}

FleetCore::Board* FleetCore::Find(BoardId id) {
  const auto found = boards_.find(id);
  return found == boards_.end() ? nullptr : found->second.get();
}

void FleetCore::Touch(const Board& board) { touched_.insert(board.spec.id); }

// ---- Boards

void FleetCore::Handle(BoardAdded& event) {
  BITPILOT_CHECK(!boards_.contains(event.spec.id));
  if (is_closing_) {
    actions_.emplace_back(BoardGone{event.spec.id});
    return;
  }
  auto board = std::make_unique<Board>();
  board->spec = std::move(event.spec);
  board->lanes = {Lane{"", board->spec.id}};
  Board& added = *boards_.emplace(board->spec.id, std::move(board)).first->second;
  lanes_changed_ = true;
  StartClient(added);
}

void FleetCore::Handle(BoardRemoved& event) {
  Board* board = Find(event.board);
  if (board == nullptr || board->is_leaving) return;
  board->is_leaving = true;
  TakeBack(*board);
  board->is_closing = true;
  StepClient(*board, bitpilot::CloseRequested{});
}

void FleetCore::Handle(LinkEvent& event) {
  Board* board = Find(event.board);
  if (board != nullptr) StepClient(*board, std::move(event.event));
}

void FleetCore::Handle(PowerCycled& event) {
  Board* board = Find(event.board);
  if (board == nullptr || event.status.ok()) return;
  actions_.emplace_back(
      Notice{Label(*board) + " could not be power-cycled: " + event.status.message()});
}

// ---- Jobs

void FleetCore::Handle(JobAdded& event) {
  auto added = std::make_unique<Job>();
  Job& job = *added;
  job.spec = std::move(event.job);
  BITPILOT_CHECK(job.id() < kCheckIds && !jobs_.contains(job.id()));
  job.retries = MeasureRetries(options_.retries);
  job.attempt = job.spec.first_attempt;
  if (job.is_measurement()) {
    job.measure_id =
        AttemptId(std::get<MeasureInput>(job.spec.request.input).measure_id, job.attempt);
  }
  for (const Artifact& network : job.spec.request.artifacts) job.networks += network.sha256;
  job.entry.job = job.id();
  job.entry.lane = Lane{job.spec.class_tag, job.spec.only_on};
  job.entry.priority = job.spec.priority;
  job.entry.stream = job.spec.stream;
  job.entry.place = ++places_;
  if (is_closing_ || jobs_.size() >= options_.max_jobs) {
    JobResult refused;
    refused.id = job.id();
    refused.status = is_closing_ ? Status(StatusCode::kAborted, "the fleet is being closed")
                                 : Status(StatusCode::kResourceExhausted,
                                          "the fleet has " + std::to_string(options_.max_jobs) +
                                              " jobs already: wait until some of them have ended");
    // Nothing is kept of it: whoever floods the fleet does not fill it.
    actions_.emplace_back(
        JobEnded{std::move(refused), job.attempt, job.measure_id, std::nullopt, {}});
    return;
  }
  jobs_.emplace(job.id(), std::move(added));
  ++lanes_[job.entry.lane].jobs;
  lanes_changed_ = true;
  for (const auto& [id, board] : boards_) {
    const bool is_in_use = !board->idle_since && !board->is_given_back && !board->is_closing;
    if (!is_in_use && Serves(*board, job.entry.lane)) Touch(*board);
  }
  Wait(job);
}

void FleetCore::Handle(JobDropped& event) {
  const auto found = jobs_.find(event.job);
  if (found == jobs_.end()) return;
  Job& job = *found->second;
  queue_.Remove(job.id());
  if (job.on) {
    Board& board = *boards_.at(*job.on);
    board.job.reset();
    Touch(board);
    if (job.is_given) {
      StepClient(board, JobCancelled{job.id()});
      StepClient(board, ResultRecorded{job.measure_id});
    }
  }
  if (!job.has_ended) --lanes_.at(job.entry.lane).jobs;
  Forget(job.id());
}

void FleetCore::Handle(AttemptRecorded& event) {
  const auto found = jobs_.find(event.job);
  if (found == jobs_.end()) return;
  Job& job = *found->second;
  const auto owed = job.owed.find(event.attempt);
  if (owed == job.owed.end()) return;
  const Job::Owed recorded = std::move(owed->second);
  job.owed.erase(owed);
  // Another attempt under this id, on the same board, may still be to record.
  const bool is_wanted = (!job.has_ended && job.measure_id == recorded.measure_id) ||
                         std::any_of(job.owed.begin(), job.owed.end(), [&](const auto& one) {
                           return one.second.measure_id == recorded.measure_id;
                         });
  Board* board = recorded.board ? Find(*recorded.board) : nullptr;
  if (board != nullptr && !recorded.measure_id.empty() && !is_wanted) {
    StepClient(*board, ResultRecorded{recorded.measure_id});
  }
  if (job.has_ended && job.owed.empty()) Forget(job.id());
}

void FleetCore::Handle(CloseRequested&) {
  if (is_closing_) return;
  is_closing_ = true;
  std::vector<Lane> lanes;
  for (const auto& [lane, use] : lanes_) lanes.push_back(lane);
  for (const Lane& lane : lanes) EndJobsOf(lane, {StatusCode::kAborted, "the fleet was closed"});
  for (const auto& [id, board] : boards_) {
    Touch(*board);
    if (board->is_closing) continue;
    board->is_closing = true;
    StepClient(*board, bitpilot::CloseRequested{});
  }
}

std::vector<BoardReport> FleetCore::Boards(std::optional<Instant> now) const {
  std::vector<BoardReport> reports;
  for (const auto& [id, board] : boards_) {
    BoardReport report;
    report.id = id;
    report.name = board->spec.client.board_name;
    std::tie(report.state, report.why) = StateOf(*board);
    if (board->off_hand_since) {
      report.away_for = std::max(now.value_or(now_), now_) - *board->off_hand_since;
    }
    for (const Lane& lane : board->lanes) {
      if (!lane.tag.empty() && !lane.only_on) report.classes.push_back(lane.tag);
    }
    report.left_out_of = board->left_out_of;
    for (const std::string& tag : board->spec.tags) {
      std::string why = WhyLeftOut(*board, tag);
      if (!why.empty()) report.left_out_of.emplace(tag, std::move(why));
    }
    report.waits_for = board->waits_for;
    report.job = board->job;
    report.attempts = board->attempts;
    report.failures = board->failures;
    report.power_cycles = board->health.power_cycles;
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace bitpilot::fleet
