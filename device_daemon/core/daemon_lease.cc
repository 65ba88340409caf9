// DaemonCore's part that deals with the lease and with time.
#include <algorithm>
#include <string>
#include <utility>

#include "device_daemon/core/daemon_core.h"

namespace bitpilot::daemon {

Status DaemonCore::CheckLease(const v1::Envelope& envelope) const {
  if (envelope.lease_epoch() != lease_.epoch() || !lease_.IsHeldBy(envelope.session_id(), now_)) {
    return {StatusCode::kAborted, "lease epoch " + std::to_string(envelope.lease_epoch()) +
                                      " is over; ask for a lease again"};
  }
  return {};
}

Status DaemonCore::RequestLease(const MessageReceived& event) {
  const v1::Envelope& envelope = event.message.envelope;
  const v1::LeaseRequest& request = envelope.lease_request();
  const bool held_by_other =
      lease_.IsHeld(now_) && lease_.holder_session() != envelope.session_id();
  if (held_by_other || lease_.HasReservation()) {
    Message reply;
    v1::LeaseDenied& denied = *reply.envelope.mutable_lease_denied();
    denied.set_reason(v1::LeaseDenied::HELD);
    denied.set_holder(lease_.has_holder() ? lease_.holder_name() : "");
    const Milliseconds left = std::max(lease_.expires() - now_, Milliseconds{100});
    denied.set_retry_after_ms(static_cast<std::uint32_t>(left.count()));
    ReplyTo(event, std::move(reply));
    return {};
  }
  const std::string holder = request.holder().empty() ? event.peer.user_id : request.holder();
  lease_request_id_ = envelope.request_id();
  const std::uint64_t epoch =
      lease_.Reserve(envelope.session_id(), holder, Milliseconds{request.ttl_ms()});
  actions_.push_back(StoreEpoch{epoch});
  return {};
}

void DaemonCore::On(const EpochStored& event) {
  if (event.epoch != lease_.epoch()) return;  // Its reservation was cancelled.
  if (!event.status.ok()) {
    const std::optional<std::string> session = lease_.CancelReservation();
    if (!session) return;
    Message reply;
    *reply.envelope.mutable_error() =
        ToProto(event.status.WithContext("the board cannot store the lease"));
    return SendToSession(*session, lease_request_id_, std::move(reply));
  }
  const std::optional<std::string> session = lease_.Confirm(event.epoch, now_);
  if (!session) return;
  Message reply;
  reply.envelope.mutable_lease_grant()->set_epoch(event.epoch);
  reply.envelope.mutable_lease_grant()->set_ttl_ms(
      static_cast<std::uint32_t>(lease_.ttl().count()));
  SendToSession(*session, lease_request_id_, std::move(reply));
}

void DaemonCore::ReleaseLease(const v1::Envelope& envelope) {
  if (lease_.IsHeldBy(envelope.session_id(), now_)) {
    lease_.Release();
    for (const Job& job : jobs_.RemoveWaiting(envelope.session_id())) {
      FinishWithStatus(job, v1::CANCELLED, "the lease was released");
    }
    const Job* running = jobs_.running();
    if (running != nullptr && running->session_id == envelope.session_id()) {
      StopRunning(v1::CANCELLED);
    }
  }
  Message reply;
  reply.envelope.mutable_lease_released();
  SendToSession(envelope.session_id(), envelope.request_id(), std::move(reply));
}

// A holder whose job runs may be silent on purpose: its messages would disturb the measurement.
void DaemonCore::KeepLeaseOfRunningJob() {
  const Job* running = jobs_.running();
  if (running != nullptr && lease_.has_holder() && running->session_id == lease_.holder_session()) {
    lease_.Renew(now_);
  }
}

void DaemonCore::On(const TimePassed&) {
  const Job* running = jobs_.running();
  if (running != nullptr && !running->stop_reason &&
      (now_ >= running->started + running->limit ||
       now_ >= running->last_progress + running->silence)) {
    StopRunning(v1::TIMED_OUT);
  }
  if (lease_.has_holder() && !lease_.IsHeld(now_)) {
    actions_.push_back(Log{"the lease of " + lease_.holder_name() + " expired"});
    const std::string session_id = lease_.holder_session();
    lease_.Release();
    for (const Job& job : jobs_.RemoveWaiting(session_id)) {
      FinishWithStatus(job, v1::CANCELLED, "the lease expired");
    }
  }
}

}  // namespace bitpilot::daemon
