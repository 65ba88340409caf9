#include "device_daemon/core/turn_order.h"

#include <algorithm>
#include <tuple>

namespace bitpilot::daemon {

void FairShare::Arrive(const std::string& user_id) {
  std::chrono::milliseconds& tag = tags_[user_id];
  tag = std::max(tag, virtual_time_);
}

void FairShare::Begin(const std::string& user_id) {
  virtual_time_ = std::max(virtual_time_, TagOf(user_id));
}

void FairShare::Charge(const std::string& user_id, std::chrono::milliseconds used) {
  tags_[user_id] += used;
}

std::chrono::milliseconds FairShare::TagOf(const std::string& user_id) const {
  const auto found = tags_.find(user_id);
  return found == tags_.end() ? std::chrono::milliseconds{0} : found->second;
}

void FairShare::KeepUsers(const std::set<std::string>& user_ids) {
  std::erase_if(tags_, [&](const auto& one) { return !user_ids.contains(one.first); });
}

bool GoesBefore(const Waiter& one, const Waiter& other, const FairShare& share) {
  const auto rank = [&](const Waiter& waiter) {
    const bool starves = waiter.overtaken >= Waiter::kMaxOvertaken;
    // Those that starve go by arrival alone.
    return std::make_tuple(!waiter.may_begin, !starves, starves ? 0 : -waiter.priority,
                           starves ? std::chrono::milliseconds{0} : share.TagOf(waiter.user_id),
                           waiter.arrival);
  };
  return rank(one) < rank(other);
}

}  // namespace bitpilot::daemon
