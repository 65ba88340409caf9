#include "agent/session/fleet_class_boards.h"

#include <algorithm>
#include <utility>

#include "agent/fleet/health_check.h"
#include "agent/fleet/job_requests.h"
#include "agent/fleet/leased_board.h"
#include "agent/fleet/stopped.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using fleet::BoardReport;
using fleet::BoardState;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

// A board that refused is asked again after so long: its list of agents may have been mended.
constexpr milliseconds kRetryFailed{60'000};
// So long another board is not asked instead of the one that was asked before.
constexpr milliseconds kMemberAway{20'000};
constexpr auto kLookAtMember = std::chrono::seconds(1);

bool Works(const BoardReport& report) {
  return report.state == BoardState::kReady || report.state == BoardState::kBusy ||
         report.state == BoardState::kResting;
}

bool IsOf(const BoardReport& report, const ClassId& on) {
  return std::find(report.classes.begin(), report.classes.end(), on) != report.classes.end();
}

fleet::FleetOptions OptionsOf(const FleetClassOptions& options) {
  fleet::FleetOptions fleet;
  fleet.health_check = HealthCheckRequest();
  fleet.max_wait = options.max_wait.value_or(kForever);
  fleet.retry_failed_after = kRetryFailed;
  fleet.move_after = options.move_after;
  for (const auto& [on, info] : options.expected) fleet.expected.emplace(on, info);
  return fleet;
}

}  // namespace

// One board of a class, and another one if that stays away.
class FleetClassBoards::Member final : public Board {
 public:
  Member(FleetClassBoards& boards, ClassId on, fleet::BoardId first, BoardInfo info)
      : boards_(boards), on_(std::move(on)), board_(first), info_(std::move(info)) {}

  const BoardInfo& info() const override { return info_; }
  std::string listed_name() const override { return boards_.names_.at(board_); }

  Result<std::vector<std::vector<float>>> Infer(const Network& network,
                                                std::span<const std::uint8_t> images) override {
    Result<JobRequest> request = MakeInferRequest(network, images);
    if (!request.ok()) return request.status();
    Result<fleet::JobEnded> ended = Run(std::move(*request));
    if (!ended.ok()) return ended.status();
    return std::move(ended->result.logits);
  }

  Result<Measurement> Measure(const MeasureJob& job) override {
    BITPILOT_RETURN_IF_ERROR(StartMeasure(job));
    return FinishMeasure();
  }

  Status StartMeasure(const MeasureJob& job) override {
    BITPILOT_CHECK(!request_);
    Result<JobRequest> request = MakeMeasureRequest(job, NewMeasureId());
    if (!request.ok()) return request.status();
    request_ = std::move(*request);
    return Status();
  }

  Result<Measurement> FinishMeasure() override {
    BITPILOT_CHECK(request_);
    Result<fleet::JobEnded> ended = Run(*std::exchange(request_, std::nullopt));
    if (!ended.ok()) return ended.status();
    return std::move(ended->result.measurement);
  }

 private:
  Result<fleet::JobEnded> Run(JobRequest request) {
    while (true) {
      const bool is_there = IsThere();
      // Elsewhere it is another measurement: a board knows each once.
      if (auto* input = std::get_if<MeasureInput>(&request.input)) {
        input->measure_id = NewMeasureId();
      }
      fleet::JobSpec job;
      job.request = request;
      job.class_tag = on_;
      if (is_there) job.only_on = board_;
      const JobId id = boards_.fleet_.Submit(std::move(job));
      steady_clock::time_point there = steady_clock::now();
      steady_clock::time_point next_look = there + kLookAtMember;
      bool is_lost = false;
      std::optional<fleet::JobEnded> ended = boards_.fleet_.WaitForAny({id}, [&] {
        if (boards_.options_.stop && boards_.options_.stop()) return true;
        const auto now = steady_clock::now();
        if (!is_there || now < next_look) return false;
        next_look = now + kLookAtMember;
        if (IsThere()) there = now;
        return is_lost = now - there > kMemberAway;
      });
      if (ended) {
        boards_.fleet_.Record(*ended);
        const bool may_go_elsewhere =
            is_there && ended->result.status.code() == StatusCode::kUnavailable && !IsThere();
        if (may_go_elsewhere) continue;
        if (!ended->result.status.ok()) return ended->result.status;
        Use(*ended->board);
        return std::move(*ended);
      }
      boards_.fleet_.Cancel(id);
      if (!is_lost) return Stopped();
    }
  }

  bool IsThere() const {
    const std::vector<BoardReport> all = boards_.BoardsOf(on_);
    return std::any_of(all.begin(), all.end(), [this](const BoardReport& report) {
      return report.id == board_ && Works(report);
    });
  }

  void Use(fleet::BoardId board) {
    board_ = board;
    if (std::optional<BoardInfo> info = boards_.fleet_.InfoOf(board)) info_ = std::move(*info);
  }

  FleetClassBoards& boards_;
  const ClassId on_;
  fleet::BoardId board_;
  BoardInfo info_;
  std::optional<JobRequest> request_;
};

FleetClassBoards::FleetClassBoards(const FleetClassOptions& options,
                                   fleet::FleetOptions fleet_options)
    : options_(options), fleet_(std::move(fleet_options), options.notice) {}

Result<std::unique_ptr<FleetClassBoards>> FleetClassBoards::Open(const FleetClasses& classes,
                                                                 const std::vector<ClassId>& tags,
                                                                 const FleetClassOptions& options) {
  std::unique_ptr<FleetClassBoards> boards(new FleetClassBoards(options, OptionsOf(options)));
  BoardOptions patient;
  patient.connect_timeout = patient.reconnect_timeout = patient.lease_wait = kForever;
  for (const BoardAddress& address : classes.boards) {
    FleetBoard board = FleetBoardOf(address, classes.keys, patient);
    board.tags = address.tags;
    const fleet::BoardId id = boards->fleet_.AddBoard(std::move(board));
    boards->tags_[id] = address.tags;
    boards->names_[id] = address.name;
  }
  BITPILOT_RETURN_IF_ERROR(boards->WaitForClasses(tags));
  return boards;
}

Status FleetClassBoards::WaitForClasses(const std::vector<ClassId>& tags) {
  const auto begun = steady_clock::now();
  Status failure;
  // What each board that is listed for a class is like, for people.
  const auto describe = [this](const std::vector<BoardReport>& all, const ClassId& on) {
    std::string text;
    for (const BoardReport& report : all) {
      const std::vector<std::string>& listed = tags_.at(report.id);
      if (std::find(listed.begin(), listed.end(), on) == listed.end()) continue;
      text += (text.empty() ? "'" : ", '") + report.name + "' is " +
              std::string(ToString(report.state)) +
              (report.why.empty() ? "" : " (" + report.why + ")");
    }
    return text;
  };
  const auto settled = [&] {
    const std::vector<BoardReport> all = fleet_.Boards();
    const bool is_late = options_.max_wait && steady_clock::now() - begun >= *options_.max_wait;
    bool all_ready = true;
    for (const ClassId& on : tags) {
      const auto first = std::find_if(all.begin(), all.end(), [&](const BoardReport& report) {
        return IsOf(report, on) && Works(report) && fleet_.InfoOf(report.id);
      });
      if (first != all.end()) {
        if (!members_.contains(on)) {
          members_[on] = std::make_unique<Member>(*this, on, first->id, *fleet_.InfoOf(first->id));
        }
        continue;
      }
      all_ready = all_ready && members_.contains(on);
      if (members_.contains(on)) continue;
      const bool all_failed = std::all_of(all.begin(), all.end(), [&](const BoardReport& report) {
        const std::vector<std::string>& listed = tags_.at(report.id);
        return report.state == BoardState::kFailed ||
               std::find(listed.begin(), listed.end(), on) == listed.end();
      });
      if (all_failed || is_late) {
        failure = {
            StatusCode::kUnavailable,
            "class '" + on + "' has no board" +
                (is_late ? " that works, after " +
                               std::to_string(options_.max_wait->count() / 1000) + " s (--max-wait)"
                         : std::string()) +
                ": " + describe(all, on)};
      }
    }
    return all_ready || !failure.ok();
  };
  constexpr auto kTellAfter = std::chrono::seconds(3);
  bool was_told = false;
  bool stopped = false;
  (void)fleet_.WaitForAny({}, [&] {
    stopped = options_.stop && options_.stop();
    if (stopped || settled()) return true;
    if (!was_told && options_.notice && steady_clock::now() - begun >= kTellAfter) {
      was_told = true;
      const std::vector<BoardReport> all = fleet_.Boards();
      for (const ClassId& on : tags) {
        if (!members_.contains(on)) {
          options_.notice("waiting for a board of class '" + on + "': " + describe(all, on));
        }
      }
    }
    return false;
  });
  if (stopped) return Stopped();
  return failure;
}

std::vector<BoardReport> FleetClassBoards::BoardsOf(const ClassId& on) {
  std::vector<BoardReport> reports = fleet_.Boards();
  std::erase_if(reports, [&](const BoardReport& report) { return !IsOf(report, on); });
  return reports;
}

Board& FleetClassBoards::BoardOf(const ClassId& on) { return *members_.at(on); }

int FleetClassBoards::Slots(const ClassId& on) {
  const std::vector<BoardReport> reports = BoardsOf(on);
  const auto working = static_cast<int>(std::count_if(reports.begin(), reports.end(), Works));
  if (SharesThisMachine()) return std::clamp(working, 1, kMaxSlots);
  // A board that is alone takes one candidate ahead; several have each other's.
  return std::clamp(working, reports.size() == 1 ? 2 : 1, kMaxSlots);
}

bool FleetClassBoards::SharesThisMachine() {
  return std::any_of(names_.begin(), names_.end(), [this](const auto& named) {
    const std::optional<BoardInfo> info = fleet_.InfoOf(named.first);
    return info && info->shares_agent_host && !info->is_model();
  });
}

Result<MeasureNumber> FleetClassBoards::Start(const ClassId& on, const MeasureJob& job) {
  Result<JobRequest> request = MakeMeasureRequest(job, NewMeasureId());
  if (!request.ok()) return request.status();
  fleet::JobSpec spec;
  spec.request = std::move(*request);
  spec.class_tag = on;
  const JobId id = fleet_.Submit(std::move(spec));
  started_.insert(id);
  return id;
}

Result<std::optional<ClassAnswer>> FleetClassBoards::TakeAnswer() {
  std::optional<fleet::JobEnded> ended = fleet_.TakeEnded(started_);
  if (!ended) return std::optional<ClassAnswer>();
  Result<ClassAnswer> answer = AnswerOf(std::move(*ended));
  if (!answer.ok()) return answer.status();
  return std::optional(std::move(*answer));
}

Result<ClassAnswer> FleetClassBoards::WaitForAnswer() {
  BITPILOT_CHECK(!started_.empty());
  std::optional<fleet::JobEnded> ended = fleet_.WaitForAny(started_, options_.stop);
  if (!ended) return Stopped();
  return AnswerOf(std::move(*ended));
}

Result<ClassAnswer> FleetClassBoards::AnswerOf(fleet::JobEnded ended) {
  const JobId id = ended.result.id;
  started_.erase(id);
  if (!ended.result.status.ok()) {
    fleet_.Record(ended);
    return ended.result.status;
  }
  fleet::JobEnded& owed = unrecorded_[id];
  owed.result.id = id;
  owed.attempt = ended.attempt;
  BITPILOT_CHECK(ended.board);
  return ClassAnswer{id, std::move(ended.result.measurement),
                     fleet_.InfoOf(*ended.board).value_or(BoardInfo()), names_.at(*ended.board)};
}

void FleetClassBoards::Recorded(MeasureNumber number) {
  const auto owed = unrecorded_.extract(number);
  if (!owed.empty()) fleet_.Record(owed.mapped());
}

void FleetClassBoards::GiveUp() {
  for (const JobId id : std::exchange(started_, {})) fleet_.Cancel(id);
}

}  // namespace bitpilot
