#include "agent/fleet/fleet_class_boards.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/fleet/board_conditions.h"
#include "agent/fleet/board_reports.h"
#include "agent/fleet/class_kernels.h"
#include "agent/fleet/fleet_board.h"
#include "agent/fleet/fleet_class_boards_impl.h"
#include "agent/fleet/health_check.h"
#include "agent/fleet/job_requests.h"
#include "agent/fleet/stopped.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using fleet::BoardReport;
using fleet::BoardState;
using fleet::Works;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A board that refused is asked again after so long: its list of agents may have been mended.
constexpr milliseconds kRetryFailed{60'000};
constexpr auto kLookAtPinned = std::chrono::seconds(1);

fleet::FleetOptions OptionsOf(const FleetClassOptions& options,
                              const std::set<std::string>& judged) {
  fleet::FleetOptions fleet;
  fleet.health_check = HealthCheckRequest();
  fleet.max_wait = options.max_wait.value_or(kForever);
  fleet.retry_failed_after = kRetryFailed;
  fleet.move_after = options.move_after;
  for (const auto& [on, info] : options.expected) fleet.expected.emplace(on, info);
  fleet.judged_classes = judged;
  return fleet;
}

}  // namespace

FleetClassBoards::FleetClassBoards(const FleetClassOptions& options,
                                   const std::set<std::string>& judged)
    : options_(options),
      judged_(judged),
      golden_(options.notice),
      fleet_(OptionsOf(options, judged), options.notice, BoardLocator::Means::OfThisMachine(),
             options.detail) {}

FleetClassBoards::~FleetClassBoards() {
  for (const auto& [on, member] : members_) {
    KeepClassKernels(member->info(), fleet_.KernelsOf(on));
  }
}

void FleetClassBoards::AddBoard(const BoardAddress& address, const AgentKeys& keys) {
  BoardOptions patient;
  patient.lease = options_.lease;
  patient.connect_timeout = patient.reconnect_timeout = patient.lease_wait = kForever;
  const fleet::BoardId id = fleet_.AddBoard(FleetBoardAt(address, keys, patient));
  tags_[id] = address.tags;
  names_[id] = address.name;
}

std::vector<BoardReport> FleetClassBoards::BoardsOf(const std::string& on) {
  std::vector<BoardReport> reports = fleet_.Boards();
  std::erase_if(reports, [&](const BoardReport& report) { return !IsOf(report, on); });
  return reports;
}

Board& FleetClassBoards::BoardOf(const std::string& on) { return *members_.at(on); }

int FleetClassBoards::Slots(const std::string& on) {
  const std::vector<BoardReport> reports = BoardsOf(on);
  const auto working = static_cast<int>(std::count_if(reports.begin(), reports.end(), Works));
  if (SharesThisMachine()) return std::clamp(working, 1, kMaxClassSlots);
  // A board that is alone takes one candidate ahead; several have each other's.
  return std::clamp(working, reports.size() == 1 ? 2 : 1, kMaxClassSlots);
}

bool FleetClassBoards::SharesThisMachine() {
  return std::any_of(names_.begin(), names_.end(), [this](const auto& named) {
    const std::optional<BoardInfo> info = fleet_.InfoOf(named.first);
    return info && info->shares_agent_host && !info->is_model();
  });
}

Result<MeasureNumber> FleetClassBoards::Start(const std::string& on, const MeasureJob& job) {
  Result<JobRequest> request = MakeMeasureRequest(job, golden_, members_.at(on)->info().isa);
  if (!request.ok()) return request.status();
  fleet::JobSpec spec;
  spec.request = std::move(*request);
  spec.class_tag = on;
  const JobId id = fleet_.Submit(std::move(spec));
  started_.insert(id);
  classes_[id] = on;
  return id;
}

Result<MeasureNumber> FleetClassBoards::StartPinned(const std::string& on, const std::string& board,
                                                    const MeasureJob& job,
                                                    const std::string& class_tag) {
  const std::optional<fleet::BoardId> pinned = BoardNamed(board);
  Result<JobRequest> request = MakeMeasureRequest(job, golden_, members_.at(on)->info().isa);
  if (!request.ok()) return request.status();
  fleet::JobSpec spec;
  spec.request = std::move(*request);
  spec.class_tag = class_tag;
  spec.kernels_of = on;
  // No board has the id 0.
  const fleet::BoardId only_on = pinned.value_or(0);
  spec.only_on = only_on;
  const JobId id = fleet_.Submit(std::move(spec));
  started_.insert(id);
  classes_[id] = on;
  Pinned& asked = pinned_[id];
  // One that is not listed any more, or was left out since, is lost at once.
  asked = {only_on, steady_clock::now(), !pinned || judged_out_.contains({on, only_on})};
  return id;
}

void FleetClassBoards::GiveUpOne(MeasureNumber number) {
  if (started_.erase(number) == 0) return;
  pinned_.erase(number);
  classes_.erase(number);
  fleet_.Cancel(number);
}

std::vector<ClassMember> FleetClassBoards::Members(const std::string& on) {
  std::vector<ClassMember> members;
  if (!IsJudged(on)) return members;
  for (const BoardReport& report : fleet_.Boards()) {
    if (!IsListedFor(report, on)) continue;
    ClassMember member{report.name, ClassMember::State::kAway, fleet_.InfoOf(report.id)};
    const bool waits = WaitsFor(report, on);
    // It came back different: what was judged was another one.
    if (waits) judged_out_.erase({on, report.id});
    const bool was_judged_out = judged_out_.contains({on, report.id});
    if (Works(report) && waits) {
      member.state = ClassMember::State::kWaits;
    } else if ((IsOnHand(report) || report.state == BoardState::kHeld) && IsOf(report, on)) {
      member.state = ClassMember::State::kWorks;
    } else if (was_judged_out && (report.state == BoardState::kLeftOut ||
                                  report.state == BoardState::kHeld || IsOnHand(report))) {
      // Also one that works for another class.
      member.state = ClassMember::State::kLeftOut;
    }
    members.push_back(std::move(member));
  }
  return members;
}

void FleetClassBoards::Judge(const std::string& on, const ClassMember& board, bool is_pooled,
                             const std::string& why) {
  const std::optional<fleet::BoardId> id = BoardNamed(board.name);
  if (!id || !board.info || !IsJudged(on)) return;
  if (is_pooled) {
    judged_out_.erase({on, *id});
  } else {
    judged_out_.insert({on, *id});
  }
  fleet_.Judge({*id, FingerprintOf(*board.info), on, is_pooled, why});
}

void FleetClassBoards::Prefer(const std::string& on, const std::string& board) {
  const std::optional<fleet::BoardId> id = BoardNamed(board);
  if (id) members_.at(on)->Prefer(*id);
}

std::optional<fleet::BoardId> FleetClassBoards::BoardNamed(const std::string& name) const {
  const auto found = std::find_if(names_.begin(), names_.end(),
                                  [&](const auto& named) { return named.second == name; });
  if (found == names_.end()) return std::nullopt;
  return found->first;
}

ClassAnswer FleetClassBoards::LostAnswer(JobId id) {
  started_.erase(id);
  pinned_.erase(id);
  classes_.erase(id);
  return ClassAnswer{.number = id, .is_lost = true};
}

std::optional<ClassAnswer> FleetClassBoards::TakeLost() {
  for (const auto& [id, pinned] : pinned_) {
    if (pinned.is_lost) return Lose(id);
  }
  const auto now = steady_clock::now();
  if (pinned_.empty() || now - looked_at_pinned_ < kLookAtPinned) return std::nullopt;
  looked_at_pinned_ = now;
  const std::vector<BoardReport> all = fleet_.Boards();
  for (const auto& [id, pinned] : pinned_) {
    const auto board = std::find_if(all.begin(), all.end(), [&](const BoardReport& report) {
      return report.id == pinned.board;
    });
    // By the fleet's own thread: who asks may have trained for minutes, in which the board was there.
    const auto away_for = board == all.end() ? kForever : board->away_for;
    if (std::min<steady_clock::duration>(away_for, now - pinned.since) > options_.move_after) {
      return Lose(id);
    }
  }
  return std::nullopt;
}

ClassAnswer FleetClassBoards::Lose(JobId id) {
  fleet_.Cancel(id);
  return LostAnswer(id);
}

Result<std::optional<ClassAnswer>> FleetClassBoards::TakeAnswer() {
  // What a board measured counts, also where it is gone since.
  std::optional<fleet::JobEnded> ended = fleet_.TakeEnded(started_);
  if (!ended) return TakeLost();
  Result<ClassAnswer> answer = AnswerOf(std::move(*ended));
  if (!answer.ok()) return answer.status();
  return std::optional(std::move(*answer));
}

Result<std::optional<ClassAnswer>> FleetClassBoards::WaitForAnswer() {
  BITPILOT_CHECK(!started_.empty());
  const auto begun = steady_clock::now();
  const bool may_return = !judged_.empty();
  bool is_stopped = false;
  std::optional<ClassAnswer> lost;
  std::optional<fleet::JobEnded> ended = fleet_.WaitForAny(started_, [&] {
    is_stopped = options_.stop && options_.stop();
    if (!is_stopped) lost = TakeLost();
    return is_stopped || lost || (may_return && steady_clock::now() - begun >= kLookAtPinned);
  });
  if (lost || (!ended && !is_stopped)) return lost;
  if (!ended) return Stopped();
  Result<ClassAnswer> answer = AnswerOf(std::move(*ended));
  if (!answer.ok()) return answer.status();
  return std::optional(std::move(*answer));
}

Result<ClassAnswer> FleetClassBoards::AnswerOf(fleet::JobEnded ended) {
  const JobId id = ended.result.id;
  started_.erase(id);
  const bool is_pinned = pinned_.erase(id) > 0;
  const std::string on = classes_.extract(id).mapped();
  if (!ended.result.status.ok()) {
    fleet_.Record(ended);
    const Status& failure = ended.result.status;
    if (failure.code() != StatusCode::kUnavailable) return failure;
    if (is_pinned) return LostAnswer(id);
    const std::vector<BoardReport> reports = BoardsOf(on);
    const bool is_missing =
        options_.answers_missing && std::none_of(reports.begin(), reports.end(), Works);
    if (!is_missing) return failure;
    return ClassAnswer{.number = id, .failure = failure};
  }
  unrecorded_[id] = ended.attempt;
  BITPILOT_CHECK(ended.board);
  return ClassAnswer{.number = id,
                     .measurement = std::move(ended.result.measurement),
                     .board = std::move(ended.info),
                     .board_name = names_.at(*ended.board)};
}

void FleetClassBoards::Recorded(MeasureNumber number) {
  const auto owed = unrecorded_.extract(number);
  if (!owed.empty()) fleet_.Record(number, owed.mapped());
}

void FleetClassBoards::GiveUp() {
  pinned_.clear();
  for (const JobId id : std::exchange(started_, {})) fleet_.Cancel(id);
  classes_.clear();
}

Result<std::unique_ptr<ClassBoards>> OpenFleetClasses(const FleetClasses& classes,
                                                      const std::vector<std::string>& tags,
                                                      const FleetClassOptions& options) {
  // One that is alone has none to agree with.
  std::set<std::string> judged;
  for (const std::string& on : tags) {
    const auto listed = std::count_if(
        classes.boards.begin(), classes.boards.end(), [&](const BoardAddress& address) {
          return std::find(address.tags.begin(), address.tags.end(), on) != address.tags.end();
        });
    if (listed > 1) judged.insert(on);
  }
  auto boards = std::make_unique<FleetClassBoards>(options, judged);
  for (const BoardAddress& address : classes.boards) boards->AddBoard(address, classes.keys);
  BITPILOT_RETURN_IF_ERROR(boards->WaitForClasses(tags));
  return std::unique_ptr<ClassBoards>(std::move(boards));
}

}  // namespace bitpilot
