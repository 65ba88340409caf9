// DaemonCore's part that tells what the board does, and that drains it.
#include <algorithm>
#include <string>
#include <utility>

#include "device_daemon/core/daemon_core.h"

namespace bitpilot::daemon {
namespace {

constexpr char kNoReason[] = "no reason was given";

}  // namespace

Message DaemonCore::Announcement() const {
  Message message;
  v1::Announce& announce = *message.envelope.mutable_announce();
  announce.set_protocol_major(kProtocolMajor);
  announce.set_protocol_minor(kProtocolMinor);
  announce.set_boot_id(config_.boot_id);
  return message;
}

std::string DaemonCore::StateName() const {
  const Job* running = jobs_.running();
  if (running != nullptr) return running->is_measurement() ? "TIMING" : "INFERRING";
  if (drain_reason_) return "DRAINING";
  return leases_.empty() ? "READY" : "LEASED";
}

void DaemonCore::AnswerPing(const MessageReceived& event) {
  Message reply;
  v1::Pong& pong = *reply.envelope.mutable_pong();
  pong.set_agent_time_ns(event.message.envelope.ping().agent_time_ns());
  const std::string& session_id = event.message.envelope.session_id();
  const Job* running = jobs_.running();
  const bool own_runs = running != nullptr && running->session_id == session_id;
  pong.set_state(!own_runs && jobs_.HasJobsOf(session_id) ? "QUEUED" : StateName());
  pong.set_worker_progress(worker_progress_);
  pong.set_draining(drain_reason_.has_value());
  pong.set_queue_length(static_cast<std::uint32_t>(jobs_.waiting().size()));
  ReplyTo(event, std::move(reply));
}

v1::BoardStatus DaemonCore::BoardStatusAt(Milliseconds now) const {
  v1::BoardStatus board;
  board.set_state(StateName());
  const Job* running = jobs_.running();
  const LeaseHolder* reservation = leases_.reservation();
  if (reservation != nullptr) {
    board.set_holder(reservation->name);
    board.set_reserved(true);
  } else if (running != nullptr) {
    board.set_holder(running->holder);
  }
  for (const Turn& turn : TurnsInOrder()) {
    if (board.queue_size() == kMaxQueueEntries) break;
    v1::QueueEntry& entry = *board.add_queue();
    entry.set_kind(turn.kind);
    entry.set_holder(turn.name);
    entry.set_priority(turn.waiter.priority);
    entry.set_waits_ms(static_cast<std::uint64_t>((now - turn.asked).count()));
  }
  board.set_draining(drain_reason_.has_value());
  board.set_drain_reason(drain_reason_.value_or(""));
  board.set_uptime_ms(static_cast<std::uint64_t>(now.count()));
  board.set_sessions(static_cast<std::uint32_t>(sessions_.size()));
  for (const auto& [status, count] : finished_) {
    v1::StatusCount& one = *board.add_finished();
    one.set_status(status);
    one.set_count(count);
  }
  board.set_kept_results(static_cast<std::uint32_t>(kept_.size()));
  board.set_kept_results_problem(kept_problem_);
  if (temperature_celsius_) board.set_temperature_celsius(*temperature_celsius_);
  if (!conditions_since_) return board;
  board.set_conditions_age_ms(static_cast<std::uint64_t>((now - *conditions_since_).count()));
  if (conditions_.has_clock_mhz()) board.set_clock_mhz(conditions_.clock_mhz());
  if (conditions_.has_claimed_clock_mhz()) {
    board.set_claimed_clock_mhz(conditions_.claimed_clock_mhz());
  }
  if (conditions_.has_canary_ns()) board.set_canary_ns(conditions_.canary_ns());
  if (conditions_.has_canary_lease_ns()) board.set_canary_lease_ns(conditions_.canary_lease_ns());
  return board;
}

void DaemonCore::AnswerStatus(const MessageReceived& event) {
  Message reply;
  *reply.envelope.mutable_board_status() = BoardStatusAt(now_);
  ReplyTo(event, std::move(reply));
}

Status DaemonCore::Drain(const MessageReceived& event) {
  const v1::DrainRequest& request = event.message.envelope.drain_request();
  const std::string reason = request.reason().empty() ? kNoReason : request.reason();
  Draining draining{event.message.envelope.session_id(), event.message.envelope.request_id(), {}};
  if (request.drain()) draining.reason = reason;
  draining_.push_back(std::move(draining));
  actions_.push_back(StoreDrain{request.drain(), reason});
  return {};
}

void DaemonCore::On(const DrainStored& event) {
  if (draining_.empty()) return;
  const Draining draining = std::move(draining_.front());
  draining_.erase(draining_.begin());
  Message reply;
  if (!event.status.ok()) {
    *reply.envelope.mutable_error() =
        ToProto(event.status.WithContext("the board cannot store that it is drained"));
    return SendToSession(draining.session_id, draining.request_id, std::move(reply));
  }
  drain_reason_ = draining.reason;
  AddLog(drain_reason_ ? "drained: " + *drain_reason_ : "not drained any more",
         drain_reason_ ? "drained" : "undrained", {{"reason", drain_reason_.value_or("")}});
  if (drain_reason_) {
    for (const Applicant& one : std::exchange(applicants_, {})) {
      if (!one.is_told) continue;
      v1::LeaseDenied denied;
      denied.set_reason(v1::LeaseDenied::DRAINING);
      denied.set_detail(*drain_reason_);
      DenyLease(one.holder.session_id, one.holder.request_id, std::move(denied));
    }
  }
  *reply.envelope.mutable_board_status() = BoardStatusAt(now_);
  SendToSession(draining.session_id, draining.request_id, std::move(reply));
}

void DaemonCore::EndLeasesOfADrainedBoard() {
  if (!drain_reason_) return;
  for (const std::string& session_id : leases_.Sessions()) {
    if (jobs_.HasJobsOf(session_id)) continue;
    AddLog("drained: the lease of " + leases_.Find(session_id)->holder.name + " ended",
           "lease_ended", {{"holder", leases_.Find(session_id)->holder.name}});
    leases_.Release(session_id);
  }
}

}  // namespace bitpilot::daemon
