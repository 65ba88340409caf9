// DaemonCore's part that deals with leases.
#include <algorithm>
#include <string>
#include <utility>

#include "device_daemon/core/daemon_core.h"

namespace bitpilot::daemon {
namespace {

// An applicant asks again then where nobody knows how long it takes.
constexpr Milliseconds kShortRetry{1'000};
constexpr Milliseconds kLeastRetry{100};

}  // namespace

Status DaemonCore::CheckLease(const v1::Envelope& envelope) const {
  const Lease* lease = leases_.Find(envelope.session_id());
  if (lease == nullptr || envelope.lease_epoch() != lease->epoch) {
    return {StatusCode::kAborted, "lease epoch " + std::to_string(envelope.lease_epoch()) +
                                      " is over; ask for a lease again"};
  }
  if (drain_reason_ && !envelope.has_measure_cancel()) {
    return {StatusCode::kAborted, "the board is drained and takes no new work"};
  }
  return {};
}

void DaemonCore::RequestLease(const MessageReceived& event) {
  const v1::Envelope& envelope = event.message.envelope;
  const v1::LeaseRequest& request = envelope.lease_request();
  if (drain_reason_) {
    v1::LeaseDenied denied;
    denied.set_reason(v1::LeaseDenied::DRAINING);
    denied.set_detail(*drain_reason_);
    denied.set_retry_after_ms(static_cast<std::uint32_t>(kShortRetry.count()));
    return DenyLease(envelope.session_id(), envelope.request_id(), std::move(denied));
  }
  LeaseHolder holder;
  holder.session_id = envelope.session_id();
  holder.user_id = event.peer.user_id;
  holder.name = request.holder().empty() ? event.peer.user_id : request.holder();
  holder.kind = request.kind() == v1::LeaseRequest::PER_JOB ? v1::LeaseRequest::PER_JOB
                                                            : v1::LeaseRequest::RESERVATION;
  holder.priority = request.priority();
  holder.ttl = Milliseconds{request.ttl_ms()};
  holder.request_id = envelope.request_id();
  if (holder.kind == v1::LeaseRequest::RESERVATION) return Apply(event, std::move(holder));
  std::erase_if(applicants_, [&](const Applicant& one) {
    return one.holder.session_id == envelope.session_id();
  });
  TakeLease(std::move(holder));
}

// Who asks again keeps its place.
void DaemonCore::Apply(const MessageReceived& event, LeaseHolder holder) {
  std::erase_if(applicants_, [&](const Applicant& one) {
    return !one.is_told && now_ >= one.place_kept && one.holder.session_id != holder.session_id;
  });
  auto place = std::find_if(applicants_.begin(), applicants_.end(), [&](const Applicant& one) {
    return one.holder.session_id == holder.session_id;
  });
  if (place == applicants_.end()) {
    if (!jobs_.HasJobsOfUser(holder.user_id)) share_.Arrive(holder.user_id);
    applicants_.push_back({.holder = {}, .arrival = ++last_arrival_, .asked = now_});
    place = std::prev(applicants_.end());
  }
  const std::string session_id = holder.session_id;
  place->holder = std::move(holder);
  place->is_told = event.message.envelope.lease_request().wait();
  // Its own jobs do not stand in its way.
  const LeaseHolder* reservation = leases_.reservation();
  const bool is_free = reservation == nullptr || reservation->session_id == session_id;
  const std::vector<Turn> turns = TurnsInOrder();
  const auto first = std::find_if(turns.begin(), turns.end(), [&](const Turn& turn) {
    return turn.waiter.arrival == place->arrival || turn.session_id != session_id;
  });
  if (is_free && first != turns.end() && first->waiter.arrival == place->arrival) {
    Overtake(*first);
    LeaseHolder next = std::move(place->holder);
    applicants_.erase(place);
    return TakeLease(std::move(next));
  }
  v1::LeaseDenied denied = Held(*place);
  place->place_kept = now_ + Milliseconds{denied.retry_after_ms()} + kPlaceKept;
  DenyLease(session_id, event.message.envelope.request_id(), std::move(denied));
}

v1::LeaseDenied DaemonCore::Held(const Applicant& applicant) const {
  v1::LeaseDenied denied;
  denied.set_reason(v1::LeaseDenied::HELD);
  const Job* running = jobs_.running();
  const LeaseHolder* reservation = leases_.reservation();
  Milliseconds retry = kShortRetry;
  if (reservation != nullptr) {
    const Lease* lease = leases_.Find(reservation->session_id);
    if (lease != nullptr) {
      denied.set_holder(reservation->name);
      retry = std::max(lease->expires - now_, kLeastRetry);
    }
  } else if (running != nullptr) {
    denied.set_holder(running->holder);
  }
  denied.set_retry_after_ms(static_cast<std::uint32_t>(retry.count()));
  std::uint32_t position = 1;
  for (const Turn& turn : TurnsInOrder()) {
    if (turn.waiter.arrival == applicant.arrival) break;
    ++position;
  }
  denied.set_queue_position(position);
  return denied;
}

void DaemonCore::TakeLease(LeaseHolder holder) {
  actions_.push_back(StoreEpoch{leases_.Take(std::move(holder))});
}

void DaemonCore::DenyLease(const std::string& session_id, std::uint64_t request_id,
                           v1::LeaseDenied denied) {
  Message reply;
  *reply.envelope.mutable_lease_denied() = std::move(denied);
  SendToSession(session_id, request_id, std::move(reply));
}

void DaemonCore::On(const EpochStored& event) {
  if (!event.status.ok()) {
    const std::optional<LeaseHolder> holder = leases_.Cancel(event.epoch);
    if (!holder) return;
    Message reply;
    *reply.envelope.mutable_error() =
        ToProto(event.status.WithContext("the board cannot store the lease"));
    return SendToSession(holder->session_id, holder->request_id, std::move(reply));
  }
  const Lease* lease = leases_.Confirm(event.epoch, now_);
  if (lease == nullptr) return;  // Its session is gone, or asked again.
  const LeaseHolder& holder = lease->holder;
  const bool is_per_job = holder.kind == v1::LeaseRequest::PER_JOB;
  if (is_per_job && !leases_.IsShared(holder.session_id)) shared_epoch_ = lease->epoch;
  Message reply;
  v1::LeaseGrant& grant = *reply.envelope.mutable_lease_grant();
  grant.set_epoch(lease->epoch);
  grant.set_ttl_ms(static_cast<std::uint32_t>(holder.ttl.count()));
  grant.set_kind(holder.kind);
  const LeaseHolder* reservation = leases_.reservation();
  if (is_per_job && reservation != nullptr) grant.set_reserved_by(reservation->name);
  for (std::string& id : KnownMeasurementsOf(holder.user_id)) {
    grant.add_known_measure_ids(std::move(id));
  }
  AddLog(holder.name + (is_per_job ? " may run jobs" : " has the board"), "lease_granted",
         {{"holder", holder.name},
          {"kind", v1::LeaseRequest::Kind_Name(holder.kind)},
          {"epoch", std::to_string(lease->epoch)}},
         /*is_detail=*/true);
  SendToSession(holder.session_id, holder.request_id, std::move(reply));
}

// At most KeptResults::kMaxResults and a few: far from what a frame holds.
std::vector<std::string> DaemonCore::KnownMeasurementsOf(const std::string& user_id) const {
  std::vector<std::string> known = kept_.IdsOf(user_id);
  const auto add = [&](const Job& job) {
    const bool is_wanted = !job.is_revoked && !job.is_given_up;
    if (job.is_measurement() && job.user_id == user_id && is_wanted) {
      known.push_back(job.measure_id());
    }
  };
  if (const Job* running = jobs_.running()) add(*running);
  for (const Job& job : jobs_.waiting()) add(job);
  return known;
}

void DaemonCore::ReleaseLease(const v1::Envelope& envelope) {
  std::erase_if(applicants_, [&](const Applicant& one) {
    return one.holder.session_id == envelope.session_id();
  });
  if (leases_.Find(envelope.session_id()) != nullptr) {
    leases_.Release(envelope.session_id());
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

void DaemonCore::ExpireLeases() {
  for (const std::string& session_id : leases_.Sessions()) {
    if (jobs_.HasJobsOf(session_id)) leases_.Renew(session_id, now_);
  }
  for (const Lease& lease : leases_.Expire(now_)) {
    AddLog("the lease of " + lease.holder.name + " expired", "lease_expired",
           {{"holder", lease.holder.name}, {"epoch", std::to_string(lease.epoch)}});
  }
}

}  // namespace bitpilot::daemon
