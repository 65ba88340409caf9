#include "device_daemon/core/leases.h"

#include <algorithm>
#include <utility>

namespace bitpilot::daemon {

std::uint64_t Leases::Take(LeaseHolder holder) {
  Release(holder.session_id);
  taken_[++last_epoch_] = std::move(holder);
  return last_epoch_;
}

const Lease* Leases::Confirm(std::uint64_t epoch, std::chrono::milliseconds now) {
  std::optional<LeaseHolder> holder = Cancel(epoch);
  if (!holder) return nullptr;
  Lease& lease = held_[holder->session_id];
  lease = {std::move(*holder), epoch, now};
  lease.expires += lease.holder.ttl;
  return &lease;
}

std::optional<LeaseHolder> Leases::Cancel(std::uint64_t epoch) {
  const auto found = taken_.find(epoch);
  if (found == taken_.end()) return std::nullopt;
  LeaseHolder holder = std::move(found->second);
  taken_.erase(found);
  return holder;
}

const Lease* Leases::Find(const std::string& session_id) const {
  const auto found = held_.find(session_id);
  return found == held_.end() ? nullptr : &found->second;
}

const LeaseHolder* Leases::reservation() const {
  for (const auto& [session_id, lease] : held_) {
    if (lease.holder.kind == v1::LeaseRequest::RESERVATION) return &lease.holder;
  }
  for (const auto& [epoch, holder] : taken_) {
    if (holder.kind == v1::LeaseRequest::RESERVATION) return &holder;
  }
  return nullptr;
}

bool Leases::IsShared(const std::string& session_id) const {
  return std::any_of(held_.begin(), held_.end(), [&](const auto& one) {
    return one.first != session_id && one.second.holder.kind == v1::LeaseRequest::PER_JOB;
  });
}

std::vector<std::string> Leases::Sessions() const {
  std::vector<std::string> sessions;
  for (const auto& [session_id, lease] : held_) sessions.push_back(session_id);
  return sessions;
}

void Leases::Renew(const std::string& session_id, std::chrono::milliseconds now) {
  const auto found = held_.find(session_id);
  if (found != held_.end()) found->second.expires = now + found->second.holder.ttl;
}

void Leases::Release(const std::string& session_id) {
  held_.erase(session_id);
  std::erase_if(taken_, [&](const auto& one) { return one.second.session_id == session_id; });
}

std::vector<Lease> Leases::Expire(std::chrono::milliseconds now) {
  std::vector<Lease> expired;
  for (const auto& [session_id, lease] : held_) {
    if (now >= lease.expires) expired.push_back(lease);
  }
  for (const Lease& lease : expired) held_.erase(lease.holder.session_id);
  return expired;
}

std::optional<std::chrono::milliseconds> Leases::NextExpiry(
    const std::function<bool(const std::string& session_id)>& counts) const {
  std::optional<std::chrono::milliseconds> next;
  for (const auto& [session_id, lease] : held_) {
    if (counts(session_id)) next = std::min(next.value_or(lease.expires), lease.expires);
  }
  return next;
}

}  // namespace bitpilot::daemon
