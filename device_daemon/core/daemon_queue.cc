// DaemonCore's part that decides what begins next.
#include <algorithm>
#include <string>
#include <utility>

#include "device_daemon/core/daemon_core.h"
#include "kernels/base/sha256.h"
#include "proto/phases.h"

namespace bitpilot::daemon {

std::vector<DaemonCore::Turn> DaemonCore::Turns() const {
  const LeaseHolder* reservation = leases_.reservation();
  std::vector<Turn> turns;
  for (const Job& job : jobs_.waiting()) {
    Turn turn;
    turn.waiter = {job.arrival, job.user_id, job.priority, job.overtaken};
    turn.waiter.may_begin = leases_.Find(job.session_id) != nullptr &&
                            (reservation == nullptr || reservation->session_id == job.session_id);
    turn.session_id = job.session_id;
    turn.name = job.holder;
    turn.kind = job.is_measurement() ? v1::QueueEntry::MEASUREMENT : v1::QueueEntry::INFERENCE;
    turn.job = job.id;
    turn.asked = job.accepted;
    turn.takes = RemainingOf(job);
    turns.push_back(std::move(turn));
  }
  for (const Applicant& applicant : applicants_) {
    if (!applicant.is_told && applicant.place_kept.count() != 0 && now_ >= applicant.place_kept) {
      continue;
    }
    Turn turn;
    turn.waiter = {applicant.arrival, applicant.holder.user_id, applicant.holder.priority,
                   applicant.overtaken};
    turn.waiter.may_begin =
        reservation == nullptr || reservation->session_id == applicant.holder.session_id;
    turn.session_id = applicant.holder.session_id;
    turn.name = applicant.holder.name;
    turn.kind = v1::QueueEntry::RESERVATION;
    turn.asked = applicant.asked;
    turns.push_back(std::move(turn));
  }
  return turns;
}

std::vector<DaemonCore::Turn> DaemonCore::TurnsInOrder() const {
  std::vector<Turn> left = Turns();
  FairShare share = share_;
  if (const Job* running = jobs_.running()) {
    share.Charge(running->user_id, now_ - running->started + RemainingOf(*running));
  }
  std::vector<Turn> turns;
  while (!left.empty()) {
    const auto next =
        std::min_element(left.begin(), left.end(), [&](const Turn& one, const Turn& other) {
          return GoesBefore(one.waiter, other.waiter, share);
        });
    share.Charge(next->waiter.user_id, next->takes);
    turns.push_back(std::move(*next));
    left.erase(next);
  }
  return turns;
}

void DaemonCore::Advance() {
  while (BeginNext()) {
  }
}

// An applicant that is not told when its turn comes is served when it asks again.
bool DaemonCore::BeginNext() {
  std::vector<Turn> turns = Turns();
  std::erase_if(turns, [&](const Turn& turn) {
    if (!turn.waiter.may_begin) return true;
    return turn.is_reservation() &&
           std::none_of(applicants_.begin(), applicants_.end(), [&](const Applicant& one) {
             return one.arrival == turn.waiter.arrival && one.is_told;
           });
  });
  if (turns.empty()) return false;
  const Turn& next =
      *std::min_element(turns.begin(), turns.end(), [&](const Turn& one, const Turn& other) {
        return GoesBefore(one.waiter, other.waiter, share_);
      });
  if (!next.is_reservation() && jobs_.running() != nullptr) return false;
  Overtake(next);
  if (!next.is_reservation()) {
    StartJobOf(next);
    return true;
  }
  const auto applicant =
      std::find_if(applicants_.begin(), applicants_.end(),
                   [&](const Applicant& one) { return one.arrival == next.waiter.arrival; });
  LeaseHolder holder = std::move(applicant->holder);
  applicants_.erase(applicant);
  TakeLease(std::move(holder));
  return true;
}

// Those that came earlier and could have begun now. A reservation does not keep its own session's.
void DaemonCore::Overtake(const Turn& next) {
  for (const Turn& turn : Turns()) {
    if (!turn.waiter.may_begin || turn.waiter.arrival >= next.waiter.arrival) continue;
    if (next.is_reservation() && turn.session_id == next.session_id) continue;
    for (Job& job : jobs_.waiting()) {
      if (job.arrival == turn.waiter.arrival) ++job.overtaken;
    }
    for (Applicant& applicant : applicants_) {
      if (applicant.arrival == turn.waiter.arrival) ++applicant.overtaken;
    }
  }
}

void DaemonCore::StartJobOf(const Turn& turn) {
  Job& job = jobs_.Start(turn.job, now_, kStallLimit);
  share_.Begin(job.user_id);
  const Lease& lease = *leases_.Find(job.session_id);
  job.request.envelope.set_lease_epoch(
      lease.holder.kind == v1::LeaseRequest::PER_JOB ? shared_epoch_ : lease.epoch);
  if (job.is_measurement()) {
    AddLog("a measurement of " + job.holder + " begins", "measurement_started",
           {{"measure_id", BytesToHex(job.measure_id())}, {"holder", job.holder}},
           /*is_detail=*/true);
  }
  actions_.push_back(StartJob{job.id, job.request});
  queue_told_ = now_ - kQueueWord;  // Everybody's place may have changed.
}

std::uint32_t DaemonCore::QueuePosition(std::uint64_t arrival) const {
  std::uint32_t position = jobs_.running() != nullptr ? 1 : 0;
  for (const Turn& turn : TurnsInOrder()) {
    if (turn.waiter.arrival == arrival) break;
    if (!turn.is_reservation()) ++position;
  }
  return position;
}

// A job behind one of its own session has that one's signs of life.
bool DaemonCore::WaitsForOthers(const Job& job) const {
  const Job* running = jobs_.running();
  return job.is_measurement() && (running == nullptr || running->session_id != job.session_id);
}

void DaemonCore::TellWhoWaits() {
  if (now_ < queue_told_ + kQueueWord) return;
  queue_told_ = now_;
  for (const Job& job : jobs_.waiting()) {
    if (!WaitsForOthers(job) || job.accepted == now_) continue;  // MeasureAccepted has said it.
    Message message;
    v1::MeasureProgress& progress = *message.envelope.mutable_measure_progress();
    progress.set_measure_id(job.measure_id());
    progress.set_phase(kQueuePhase);
    progress.set_silence_ms(kQueueSilenceMs);
    progress.set_queue_position(QueuePosition(job.arrival));
    SendToSession(job.session_id, job.request_id, std::move(message));
  }
}

}  // namespace bitpilot::daemon
