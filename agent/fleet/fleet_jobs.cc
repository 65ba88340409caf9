// FleetCore's part that deals with jobs, their attempts and results.
#include <algorithm>
#include <string>
#include <utility>

#include "agent/fleet/fleet_core.h"
#include "agent/fleet/fleet_state.h"
#include "kernels/base/check.h"

namespace bitpilot::fleet {
namespace {

// Sessions that an inference may lose on a board, each of them after ClientCore's own retries.
constexpr int kMaxInferenceLosses = 2;

// Attempts of a job, beyond the recorded ones, that an earlier run of the agent may have come to.
constexpr int kMaxEarlierAttempts = 8;

// What another board may answer otherwise. The rest says that the request cannot be carried out.
bool IsBoardsError(StatusCode code) {
  switch (code) {
    case StatusCode::kUnavailable:
    case StatusCode::kDataCorrupt:
    case StatusCode::kTimeout:
    case StatusCode::kResourceExhausted:
    case StatusCode::kInternal:
      return true;
    default:
      return false;
  }
}

// The board, or the way to it, is at fault.
bool IsBoardFailure(MeasureStatus status) {
  switch (status) {
    case MeasureStatus::kOk:
    case MeasureStatus::kNoisy:
    case MeasureStatus::kUnsupported:
    case MeasureStatus::kRejected:
      return false;
    default:
      return true;
  }
}

}  // namespace

void FleetCore::Wait(Job& job) {
  job.on.reset();
  job.is_given = false;
  KeepForWhoKnows(job);
  queue_.Add(job.entry);
  has_new_work_ = true;
}

void FleetCore::TakeKnownAttempt(Job& job) const {
  if (!job.is_measurement() || job.was_given || known_at_.empty()) return;
  const std::string& base = std::get<MeasureInput>(job.spec.request.input).measure_id;
  // The first one: those after it follow when it has failed here, too, and all are acknowledged.
  for (int later = 0; later <= kMaxEarlierAttempts; ++later) {
    const int attempt = job.spec.first_attempt + later;
    std::string measure_id = AttemptId(base, attempt);
    if (!known_at_.contains(measure_id)) continue;
    job.attempt = attempt;
    job.measure_id = std::move(measure_id);
    return;
  }
}

void FleetCore::KeepForWhoKnows(Job& job) {
  job.entry.kept_for.reset();
  TakeKnownAttempt(job);
  const auto known = known_at_.find(job.measure_id);
  if (known == known_at_.end()) return;
  const Board* board = Find(known->second);
  const bool may_have_it = board != nullptr && CanWork(*board) && Serves(*board, job.entry.lane) &&
                           !job.entry.avoids.contains(known->second);
  if (may_have_it) job.entry.kept_for = known->second;
}

void FleetCore::KeepForWhoKnowsAll() {
  for (const auto& [id, job] : jobs_) {
    if (!queue_.Contains(id) || job->on) continue;
    const std::optional<BoardId> before = job->entry.kept_for;
    KeepForWhoKnows(*job);
    if (job->entry.kept_for == before) continue;
    queue_.Remove(id);
    queue_.Add(job->entry);
    has_new_work_ = true;
  }
}

void FleetCore::Forget(JobId id) {
  queue_.Remove(id);
  choosy_jobs_.erase(id);
  jobs_.erase(id);
}

// Of a board that will not go on with its job.
void FleetCore::TakeBack(Board& board, const std::string& why) {
  Touch(board);
  if (!board.job) return;
  Job& job = *jobs_.at(*board.job);
  board.job.reset();
  queue_.Remove(job.id());
  if (job.is_given) {
    StepClient(board, JobCancelled{job.id()});
    EndAttempt(job, board, MeasureStatus::kLost, why, Attempt::kAnother);
  }
  Wait(job);
}

void FleetCore::EndAttempt(Job& job, const Board& board, MeasureStatus status,
                           const std::string& detail, Attempt again) {
  if (!job.is_measurement()) return;
  job.owed[job.attempt] = {board.spec.id, job.measure_id};
  actions_.emplace_back(
      AttemptEnded{job.id(), job.attempt, job.measure_id, board.spec.id, status, detail});
  ++job.attempt;
  if (again == Attempt::kAnother) TakeNewId(job);
}

void FleetCore::TakeNewId(Job& job) const {
  job.measure_id =
      AttemptId(std::get<MeasureInput>(job.spec.request.input).measure_id, job.attempt);
  job.id_known_to.reset();
}

bool FleetCore::EndLostAttempt(Job& job, Board& board, const Status& why) {
  const OtherBoards others = OthersFor(job, &board);
  RetryVerdict verdict;
  verdict.what = RetryVerdict::What::kAgain;
  if (job.is_measurement()) {
    Measurement lost;
    lost.status = MeasureStatus::kLost;
    lost.detail = why.message();
    verdict = job.retries.After(lost, board.spec.client.board_name, others, now_);
  } else if (++job.losses[board.spec.id] > kMaxInferenceLosses) {
    verdict.what =
        others == OtherBoards::kNone ? RetryVerdict::What::kGiveUp : RetryVerdict::What::kLeave;
    const StatusCode code = IsBoardsError(why.code()) ? why.code() : StatusCode::kUnavailable;
    verdict.failure = Status(code, Label(board) + ": " + why.message());
  }
  if (!verdict.notice.empty()) actions_.emplace_back(Notice{verdict.notice});
  board.health.OnAttempt(MeasureStatus::kLost, job.networks, options_);
  QuarantineIfDue(board);
  if (verdict.what == RetryVerdict::What::kGiveUp) {
    JobResult given_up;
    given_up.id = job.id();
    given_up.status = verdict.failure;
    EndJob(job, std::move(given_up), &board);
    return false;
  }
  EndAttempt(job, board, MeasureStatus::kLost, why.message(), Attempt::kAnother);
  if (verdict.what == RetryVerdict::What::kLeave) Leave(job, board, verdict.failure);
  return true;
}

void FleetCore::Leave(Job& job, const Board& board, const Status& failure) {
  job.entry.avoids.insert(board.spec.id);
  job.given_up = failure;
  choosy_jobs_.insert(job.id());
  lanes_changed_ = true;
}

void FleetCore::QuarantineIfDue(Board& board) {
  if (!board.health.must_be_quarantined(options_) || board.failure) return;
  Quarantine(board, std::to_string(board.health.failures()) +
                        " different networks failed in a row, the last with " +
                        board.health.last_failure());
}

void FleetCore::OnJobFinished(Board& board, JobResult result) {
  Touch(board);
  if (result.id >= kCheckIds) return OnCheckEnded(board, result);
  if (board.job != result.id) return;  // it was taken back while the client ended
  Job& job = *jobs_.at(result.id);
  board.job.reset();
  job.on.reset();
  queue_.Remove(job.id());
  ++board.attempts;
  if (result.status.ok() && job.is_measurement()) {
    return OnMeasured(board, job, std::move(result));
  }
  if (result.status.ok()) return EndJob(job, std::move(result), &board);
  ++board.failures;
  const bool is_board_gone = board.failure.has_value() || board.is_closing;
  if (!is_board_gone && !IsBoardsError(result.status.code())) {
    return EndJob(job, std::move(result), &board);
  }
  if (EndLostAttempt(job, board, result.status)) Wait(job);
}

void FleetCore::Handle(KernelChoicesKnown& event) { LearnKernelsOf(event.class_tag, event.text); }

void FleetCore::LearnKernels(const Board& board, const std::string& text) {
  if (text.empty()) return;
  for (const std::string& tag : KernelClassesOf(board)) LearnKernelsOf(tag, text);
}

std::vector<std::string> FleetCore::KernelClassesOf(const Board& board) {
  std::vector<std::string> tags;
  for (const Lane& lane : board.lanes) {
    if (!lane.only_on) tags.push_back(lane.tag);
  }
  tags.insert(tags.end(), board.waits_for.begin(), board.waits_for.end());
  return tags;
}

void FleetCore::LearnKernelsOf(const std::string& class_tag, const std::string& text) {
  ClassKernels& kernels = class_kernels_[class_tag];
  if (kernels.Take(text)) actions_.emplace_back(KernelsChosen{class_tag, kernels.text()});
}

std::string FleetCore::KernelsFor(const Board& board, const Job& job) const {
  const std::vector<std::string> tags = KernelClassesOf(board);
  // Of a board that is asked by its name, and by no class that it has: the first one's.
  const std::string& wanted = job.spec.class_tag.empty() ? job.spec.kernels_of : job.spec.class_tag;
  auto tag = std::find(tags.begin(), tags.end(), wanted);
  if (tag == tags.end() && job.entry.lane.only_on) tag = tags.begin();
  if (tag == tags.end()) return {};
  const auto kernels = class_kernels_.find(*tag);
  if (kernels == class_kernels_.end()) return {};
  const bool is_alone = std::none_of(boards_.begin(), boards_.end(), [&](const auto& one) {
    const std::vector<std::string> its = KernelClassesOf(*one.second);
    return one.second.get() != &board && std::find(its.begin(), its.end(), *tag) != its.end();
  });
  return is_alone ? std::string() : kernels->second.text();
}

void FleetCore::OnMeasured(Board& board, Job& job, JobResult result) {
  const Measurement& measurement = result.measurement;
  if (HasNumbers(measurement.status)) LearnKernels(board, measurement.kernel_choices);
  if (IsBoardFailure(measurement.status)) ++board.failures;
  board.health.OnAttempt(measurement.status, job.networks, options_);
  const Instant forgotten_at =
      board.health.last_power_cycle + options_.power_cycles_forgotten_after;
  if (HasNumbers(measurement.status) && now_ >= forgotten_at) board.health.power_cycles = 0;
  const RetryVerdict verdict =
      job.retries.After(measurement, board.spec.client.board_name, OthersFor(job, &board), now_);
  if (!verdict.notice.empty()) actions_.emplace_back(Notice{verdict.notice});
  const auto end_attempt = [&](Attempt again) {
    EndAttempt(job, board, measurement.status, measurement.detail, again);
  };
  switch (verdict.what) {
    case RetryVerdict::What::kAnswer:
      if (job.wrong_on && HasNumbers(measurement.status)) {
        if (Board* other = Find(*job.wrong_on)) {
          Quarantine(*other, "its output differs from the host's, " + Label(board) + "'s does not");
        }
      }
      EndJob(job, std::move(result), &board);
      break;
    case RetryVerdict::What::kGiveUp:
      result.status = verdict.failure;
      EndJob(job, std::move(result), &board);
      break;
    case RetryVerdict::What::kAgain:
      end_attempt(verdict.again);
      if (!MayGoOn(board)) {
        Wait(job);
        break;
      }
      job.on = board.spec.id;
      job.is_given = false;
      board.job = job.id();
      break;
    case RetryVerdict::What::kElsewhere:
      end_attempt(verdict.again);
      job.wrong_output = std::move(result);
      job.wrong_on = board.spec.id;
      job.entry.avoids.insert(board.spec.id);
      choosy_jobs_.insert(job.id());
      lanes_changed_ = true;
      Wait(job);
      break;
    case RetryVerdict::What::kLeave:
      end_attempt(verdict.again);
      Leave(job, board, verdict.failure);
      Wait(job);
      break;
    case RetryVerdict::What::kWhenFit:
      end_attempt(verdict.again);
      board.resting_until = now_ + verdict.pause;
      Wait(job);
      break;
  }
  QuarantineIfDue(board);
}

OtherBoards FleetCore::OthersFor(const Job& job, const Board* board) const {
  OtherBoards others = OtherBoards::kNone;
  for (const auto& [id, other] : boards_) {
    if (other.get() == board || job.entry.avoids.contains(id) || other->is_leaving ||
        IsHopeless(*other) || !MayServe(*other, job.entry.lane)) {
      continue;
    }
    if (CanWork(*other) && Serves(*other, job.entry.lane)) return OtherBoards::kNow;
    others = OtherBoards::kLater;
  }
  return others;
}

void FleetCore::EndJob(Job& job, JobResult result, const Board* board) {
  BITPILOT_CHECK(!job.has_ended);
  job.has_ended = true;
  job.on.reset();
  --lanes_.at(job.entry.lane).jobs;
  choosy_jobs_.erase(job.id());
  std::optional<BoardId> from;
  if (board != nullptr) from = board->spec.id;
  BoardInfo info;
  if (board != nullptr && board->info) info = *board->info;
  job.owed[job.attempt] = {from, job.measure_id};
  result.measurement.measure_id = job.measure_id;
  result.measurement.attempt = job.attempt;
  actions_.emplace_back(
      JobEnded{std::move(result), job.attempt, job.measure_id, from, std::move(info)});
  job.spec.request.artifacts.clear();
  std::visit([](auto& input) { input = {}; }, job.spec.request.input);
}

void FleetCore::EndJobsOf(const Lane& lane, const Status& failure) {
  for (const auto& [id, job] : jobs_) {
    if (job->has_ended || job->entry.lane != lane) continue;
    queue_.Remove(id);
    const Board* last = nullptr;
    if (job->on) {
      Board& board = *boards_.at(*job->on);
      board.job.reset();
      Touch(board);
      if (job->is_given) StepClient(board, JobCancelled{id});
      if (job->is_given) last = &board;
    }
    JobResult result;
    result.id = id;
    result.status = failure;
    EndJob(*job, std::move(result), last);
  }
}

}  // namespace bitpilot::fleet
