#include "agent/fleet/class_member_board.h"

#include <algorithm>
#include <chrono>
#include <variant>

#include "agent/fleet/board_reports.h"
#include "agent/fleet/stopped.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

using fleet::BoardReport;
using std::chrono::steady_clock;

constexpr auto kLookAtMember = std::chrono::seconds(1);

}  // namespace

void ClassMemberBoard::Prefer(fleet::BoardId board) {
  board_ = board;
  if (std::optional<BoardInfo> info = fleet_.driver.InfoOf(board)) info_ = std::move(*info);
}

Result<std::vector<std::vector<float>>> ClassMemberBoard::Infer(
    const Network& network, std::span<const std::uint8_t> images) {
  Result<JobRequest> request = MakeInferRequest(network, images);
  if (!request.ok()) return request.status();
  Result<fleet::JobEnded> ended = Run(std::move(*request));
  if (!ended.ok()) return ended.status();
  return std::move(ended->result.logits);
}

Result<Measurement> ClassMemberBoard::Measure(const MeasureJob& job) {
  BITPILOT_RETURN_IF_ERROR(StartMeasure(job));
  return FinishMeasure();
}

Status ClassMemberBoard::StartMeasure(const MeasureJob& job) {
  BITPILOT_CHECK(!request_);
  Result<JobRequest> request = MakeMeasureRequest(job, fleet_.golden, info_.isa);
  if (!request.ok()) return request.status();
  request_ = std::move(*request);
  name_ = job.name;
  return Status();
}

Result<Measurement> ClassMemberBoard::FinishMeasure() {
  BITPILOT_CHECK(request_);
  Result<fleet::JobEnded> ended =
      Run(*std::exchange(request_, std::nullopt), std::exchange(name_, ""));
  if (!ended.ok()) return ended.status();
  return std::move(ended->result.measurement);
}

void ClassMemberBoard::Recorded(const std::string& measure_id) {
  const auto owed = unrecorded_.extract(measure_id);
  if (!owed.empty()) fleet_.driver.Record(owed.mapped().first, owed.mapped().second);
}

Result<fleet::JobEnded> ClassMemberBoard::Run(JobRequest request, const std::string& name) {
  auto* const input = std::get_if<MeasureInput>(&request.input);
  // What an earlier run of the agent asked for.
  const std::optional<fleet::BoardId> knows =
      name.empty() ? std::nullopt : fleet_.driver.WhoKnows(input->measure_id);
  if (knows && IsThere(*knows)) board_ = *knows;
  bool has_failed = false;  // the board, at this request
  for (int turn = 0;; ++turn) {
    const fleet::BoardId asked = board_;
    const bool is_there = !has_failed && IsThere(asked);
    // Elsewhere it is another measurement: a board knows each once.
    if (input != nullptr && turn > 0) {
      input->measure_id = name.empty()
                              ? NewMeasureId()
                              : MeasureIdOf(name + " turn " + std::to_string(turn), request);
    }
    fleet::JobSpec job;
    job.request = request;
    job.class_tag = on_;
    if (is_there) job.only_on = asked;
    const JobId id = fleet_.driver.Submit(std::move(job));
    steady_clock::time_point there = steady_clock::now();
    steady_clock::time_point next_look = there + kLookAtMember;
    bool is_lost = false;
    Status meanwhile;
    std::optional<fleet::JobEnded> ended = fleet_.driver.WaitForAny({id}, [&] {
      if (fleet_.stop && fleet_.stop()) return true;
      const auto now = steady_clock::now();
      if (now < next_look) return false;
      next_look = now + kLookAtMember;
      if (fleet_.while_waiting) meanwhile = fleet_.while_waiting();
      if (!meanwhile.ok()) return true;
      if (!is_there) return false;
      if (IsThere(asked)) there = now;
      return is_lost = now - there > fleet_.move_after;
    });
    if (ended) {
      if (name.empty() || !ended->result.status.ok()) {
        fleet_.driver.Record(*ended);
      } else {
        unrecorded_[ended->measure_id] = {id, ended->attempt};
      }
      const StatusCode code = ended->result.status.code();
      has_failed = is_there && (code == StatusCode::kUnavailable ||
                                code == StatusCode::kDataCorrupt || code == StatusCode::kInternal);
      if (has_failed && (!IsThere(asked) || HasOthers(asked))) continue;
      if (!ended->result.status.ok()) return ended->result.status;
      board_ = *ended->board;
      info_ = ended->info;
      return std::move(*ended);
    }
    fleet_.driver.Cancel(id);
    if (!meanwhile.ok()) return meanwhile;
    if (!is_lost) return Stopped();
  }
}

bool ClassMemberBoard::IsThere(fleet::BoardId board) const {
  const std::vector<BoardReport> all = fleet_.driver.Boards();
  return std::any_of(all.begin(), all.end(), [&](const BoardReport& report) {
    return report.id == board && IsOnHand(report) && IsOf(report, on_);
  });
}

bool ClassMemberBoard::HasOthers(fleet::BoardId than) const {
  const std::vector<BoardReport> all = fleet_.driver.Boards();
  return std::any_of(all.begin(), all.end(), [&](const BoardReport& report) {
    return report.id != than && IsOf(report, on_) && Works(report);
  });
}

}  // namespace bitpilot
