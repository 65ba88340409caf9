#include "agent/fleet/fleet_class_boards.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/fleet/board_conditions.h"
#include "agent/fleet/board_reports.h"
#include "agent/fleet/class_kernels.h"
#include "agent/fleet/class_member_board.h"
#include "agent/fleet/class_name.h"
#include "agent/fleet/first_named.h"
#include "agent/fleet/fleet_board.h"
#include "agent/fleet/fleet_driver.h"
#include "agent/fleet/golden_logits.h"
#include "agent/fleet/health_check.h"
#include "agent/fleet/job_requests.h"
#include "agent/fleet/stopped.h"
#include "kernels/base/check.h"
#include "kernels/base/joined.h"

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

class FleetClassBoards final : public ClassBoards {
 public:
  // judged: classes whose boards wait for Judge().
  FleetClassBoards(const FleetClassOptions& options, const std::set<std::string>& judged)
      : options_(options),
        judged_(judged),
        golden_(options.notice),
        fleet_(OptionsOf(options, judged), options.notice, BoardLocator::Means::OfThisMachine(),
               options.detail) {}
  ~FleetClassBoards() override;

  void AddBoard(const BoardAddress& address, const AgentKeys& keys);
  // The class's member, to be asked first at `board`; 0: nobody is there yet.
  void AddMember(const std::string& on, fleet::BoardId board, const BoardInfo& info);
  Status WaitForClasses(const std::vector<std::string>& tags);

  Board& BoardOf(const std::string& on) override;
  int Slots(const std::string& on) override;
  int MaxStarted(const std::string&) override { return kMaxClassSlots; }
  bool SharesThisMachine() override;
  Result<MeasureNumber> Start(const std::string& on, const MeasureJob& job) override;
  Result<std::optional<ClassAnswer>> TakeAnswer() override;
  Result<std::optional<ClassAnswer>> WaitForAnswer() override;
  Result<MeasureNumber> StartOn(const std::string& on, const std::string& board,
                                const MeasureJob& job) override {
    return StartPinned(on, board, job, /*class_tag=*/on);
  }
  Result<MeasureNumber> StartToJudge(const std::string& on, const std::string& board,
                                     const MeasureJob& job) override {
    return StartPinned(on, board, job, /*class_tag=*/"");
  }
  void GiveUpOne(MeasureNumber number) override;
  std::vector<ClassMember> Members(const std::string& on) override;
  void Judge(const std::string& on, const ClassMember& board, bool is_pooled,
             const std::string& why) override;
  void WhileWaiting(std::function<Status()> look_after) override {
    while_waiting_ = std::move(look_after);
  }
  void Prefer(const std::string& on, const std::string& board) override;
  void Recorded(MeasureNumber number) override;
  void GiveUp() override;

 private:
  // A measurement that one board was asked for.
  struct Pinned {
    fleet::BoardId board = 0;
    steady_clock::time_point since;
    bool is_lost = false;  // the board was no longer the class's when it was asked
  };

  // class_tag: JobSpec's.
  Result<MeasureNumber> StartPinned(const std::string& on, const std::string& board,
                                    const MeasureJob& job, const std::string& class_tag);
  // Reports of the boards of a class, as the fleet has them now.
  std::vector<BoardReport> BoardsOf(const std::string& on);
  bool IsJudged(const std::string& on) const { return judged_.contains(on); }
  bool IsListedFor(const BoardReport& report, const std::string& on) const;
  // What each board that is listed for a class is like, for people.
  std::vector<std::string> Describe(const std::vector<BoardReport>& all,
                                    const std::string& on) const;
  Result<ClassAnswer> AnswerOf(fleet::JobEnded ended);
  // Of one that was asked for alone and has been away for too long.
  std::optional<ClassAnswer> TakeLost();
  ClassAnswer Lose(JobId id);
  ClassAnswer LostAnswer(JobId id);
  std::optional<fleet::BoardId> BoardNamed(const std::string& name) const;

  const FleetClassOptions options_;
  const std::set<std::string> judged_;
  GoldenLogits golden_;
  std::map<fleet::BoardId, std::vector<std::string>> tags_;
  std::map<fleet::BoardId, std::string> names_;
  std::set<JobId> started_;
  std::map<JobId, std::string> classes_;                         // of what was started
  std::map<JobId, Pinned> pinned_;                               // of these
  std::set<std::pair<std::string, fleet::BoardId>> judged_out_;  // by class
  steady_clock::time_point looked_at_pinned_;
  std::map<JobId, int> unrecorded_;  // their attempts
  std::function<Status()> while_waiting_;
  FleetDriver fleet_;
  const ClassMemberFleet member_fleet_{fleet_,        golden_,        names_,
                                       options_.stop, while_waiting_, options_.move_after};
  std::map<std::string, std::unique_ptr<ClassMemberBoard>> members_;
};

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

bool FleetClassBoards::IsListedFor(const BoardReport& report, const std::string& on) const {
  const std::vector<std::string>& tags = tags_.at(report.id);
  return std::find(tags.begin(), tags.end(), on) != tags.end();
}

std::vector<std::string> FleetClassBoards::Describe(const std::vector<BoardReport>& all,
                                                    const std::string& on) const {
  std::vector<std::string> texts;
  for (const BoardReport& report : all) {
    if (!IsListedFor(report, on)) continue;
    const auto left_out = report.left_out_of.find(on);
    const bool is_out = left_out != report.left_out_of.end();
    const std::string& why = is_out ? left_out->second : report.why;
    texts.push_back("'" + report.name + "' is " +
                    std::string(ToString(is_out ? BoardState::kLeftOut : report.state)) +
                    (why.empty() ? "" : " (" + why + ")"));
  }
  return texts;
}

void FleetClassBoards::AddMember(const std::string& on, fleet::BoardId board,
                                 const BoardInfo& info) {
  members_[on] = std::make_unique<ClassMemberBoard>(member_fleet_, on, board, info);
  if (std::string text = ReadClassKernels(info); !text.empty()) {
    fleet_.TellKernels(on, std::move(text));
  }
}

Status FleetClassBoards::WaitForClasses(const std::vector<std::string>& tags) {
  const auto begun = steady_clock::now();
  Status failure;
  const auto lacks_a_board = [&](const std::string& on) { return !members_.contains(on); };
  const auto look = [&](const std::vector<BoardReport>& all, const std::string& on) {
    for (const BoardReport& report : all) {
      const std::optional<BoardInfo> info = fleet_.InfoOf(report.id);
      if (!(IsOf(report, on) || WaitsFor(report, on)) || !Works(report) || !info) continue;
      return AddMember(on, report.id, *info);
    }
    // What the class was like is known, and what no board is there for is answered so, as later on.
    const auto known = options_.expected.find(on);
    if (options_.answers_missing && known != options_.expected.end()) {
      if (steady_clock::now() - begun < options_.hear_all) return;
      AddMember(on, /*board=*/0, known->second);
      if (options_.notice) {
        options_.notice(ClassLabel(on) + " has no board now: " + FirstNamed(Describe(all, on)) +
                        "; it goes on without one");
      }
      return;
    }
    const bool is_late = options_.max_wait && steady_clock::now() - begun >= *options_.max_wait;
    const bool all_failed = std::all_of(all.begin(), all.end(), [&](const BoardReport& report) {
      return report.state == BoardState::kFailed || !IsListedFor(report, on);
    });
    const auto is_out = [&](const BoardReport& report) { return report.left_out_of.contains(on); };
    const bool all_out =
        std::any_of(all.begin(), all.end(), is_out) &&
        std::all_of(all.begin(), all.end(), [&](const BoardReport& report) {
          return is_out(report) || report.state == BoardState::kFailed || !IsListedFor(report, on);
        });
    if (!is_late && !all_failed && !all_out) return;
    const std::string after = is_late ? " that works, after " +
                                            std::to_string(options_.max_wait->count() / 1000) +
                                            " s (--max-wait)"
                                      : "";
    failure = {all_out ? StatusCode::kVersionMismatch : StatusCode::kUnavailable,
               ClassLabel(on) + " has no board" +
                   (all_out ? " that is still like those that it began with" : after) + ": " +
                   Joined(Describe(all, on))};
  };
  constexpr auto kTellAfter = std::chrono::seconds(3);
  bool was_told = false;
  bool stopped = false;
  (void)fleet_.WaitForAny({}, [&] {
    stopped = options_.stop && options_.stop();
    const std::vector<BoardReport> all = fleet_.Boards();
    for (const std::string& on : tags) {
      if (lacks_a_board(on)) look(all, on);
    }
    const bool is_complete = std::none_of(tags.begin(), tags.end(), lacks_a_board);
    const bool hears_more = steady_clock::now() - begun < options_.hear_all &&
                            std::any_of(all.begin(), all.end(), [](const BoardReport& report) {
                              return report.state == BoardState::kConnecting;
                            });
    if (stopped || !failure.ok() || (is_complete && !hears_more)) return true;
    if (!was_told && options_.notice && steady_clock::now() - begun >= kTellAfter) {
      was_told = true;
      for (const std::string& on : tags) {
        if (!lacks_a_board(on)) continue;
        options_.notice("waiting for a board of " + ClassLabel(on) + ": " +
                        FirstNamed(Describe(all, on)));
      }
    }
    return false;
  });
  return stopped ? Stopped() : failure;
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

}  // namespace

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
