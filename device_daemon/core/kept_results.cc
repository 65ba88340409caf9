#include "device_daemon/core/kept_results.h"

#include <algorithm>
#include <string>
#include <utility>

namespace bitpilot::daemon {

std::string MeasurerOf(const v1::DeviceCapabilities& capabilities) {
  std::string text;
  for (const std::string& part :
       {capabilities.name(), capabilities.cpu_model(), capabilities.core(), capabilities.isa(),
        std::to_string(capabilities.cpu_count()), capabilities.architecture(), capabilities.os(),
        capabilities.governor(), capabilities.daemon_build(), capabilities.kernel_build(),
        capabilities.backend(), capabilities.model_source(),
        std::string(capabilities.shares_agent_host() ? "this machine trains" : "")}) {
    text += part + '\n';
  }
  return text;
}

template <typename Condition>
void KeptResults::DropIf(const Condition& condition) {
  std::erase_if(results_, [&](const One& one) {
    if (!condition(one)) return false;
    size_bytes_ -= one.size_bytes;
    if (one.is_stored) dropped_.push_back(one.measure_id());
    return true;
  });
}

void KeptResults::Insert(One one) {
  const std::string measure_id = one.measure_id();
  DropIf([&](const One& other) { return other.measure_id() == measure_id; });
  one.size_bytes = one.kept.ByteSizeLong();
  size_bytes_ += one.size_bytes;
  results_.push_back(std::move(one));
  while (results_.size() > 1 && (results_.size() > kMaxResults || size_bytes_ > kMaxBytes)) {
    if (results_.front().is_stored) dropped_.push_back(results_.front().measure_id());
    size_bytes_ -= results_.front().size_bytes;
    results_.pop_front();
  }
}

bool KeptResults::Load(v1::KeptResult kept, const std::string& measurer,
                       std::chrono::milliseconds now) {
  if (kept.measured_by() != measurer) {
    dropped_.push_back(kept.result().measure_id());
    return false;
  }
  Insert({.kept = std::move(kept),
          .session_id = {},
          .since = now,
          .store_at = {},
          .send_at = {},
          .is_stored = true});
  return true;
}

void KeptResults::Add(v1::KeptResult kept, std::string session_id, std::chrono::milliseconds now) {
  Insert({.kept = std::move(kept),
          .session_id = std::move(session_id),
          .since = now,
          .store_at = now + kStoreDelay,
          .send_at = {}});
}

const KeptResults::One* KeptResults::FindOne(const std::string& measure_id) const {
  const auto found = std::find_if(results_.begin(), results_.end(),
                                  [&](const One& one) { return one.measure_id() == measure_id; });
  return found == results_.end() ? nullptr : &*found;
}

KeptResults::One* KeptResults::FindOne(const std::string& measure_id) {
  return const_cast<One*>(std::as_const(*this).FindOne(measure_id));
}

const v1::KeptResult* KeptResults::Find(const std::string& measure_id) const {
  const One* one = FindOne(measure_id);
  return one == nullptr ? nullptr : &one->kept;
}

std::vector<std::string> KeptResults::IdsOf(const std::string& user_id) const {
  std::vector<std::string> ids;
  for (const One& one : results_) {
    if (one.kept.user_id() == user_id) ids.push_back(one.measure_id());
  }
  return ids;
}

const std::string& KeptResults::SessionOf(const std::string& measure_id) const {
  static const std::string kNobody;
  const One* one = FindOne(measure_id);
  return one == nullptr ? kNobody : one->session_id;
}

void KeptResults::NoteAsked(const std::string& measure_id, const std::string& session_id) {
  if (One* one = FindOne(measure_id)) one->session_id = session_id;
}

void KeptResults::Forget(const std::string& measure_id, const std::string& user_id) {
  DropIf([&](const One& one) {
    return one.measure_id() == measure_id && one.kept.user_id() == user_id;
  });
}

void KeptResults::KeepUsers(const std::set<std::string>& user_ids) {
  DropIf([&](const One& one) { return !user_ids.contains(one.kept.user_id()); });
}

void KeptResults::NoteNotSent(const std::string& measure_id, std::chrono::milliseconds now) {
  One* one = FindOne(measure_id);
  if (one != nullptr && one->resends < kMaxResends) one->send_at = now + kResendPause;
}

void KeptResults::Expire(std::chrono::milliseconds now) {
  DropIf([&](const One& one) { return now - one.since >= kLongestKept; });
}

std::vector<std::string> KeptResults::TakeDueToStore(std::chrono::milliseconds now) {
  std::vector<std::string> due;
  for (One& one : results_) {
    if (!one.store_at || now < *one.store_at) continue;
    one.store_at.reset();
    one.is_stored = true;
    due.push_back(one.measure_id());
  }
  return due;
}

std::vector<std::string> KeptResults::TakeDueToSend(std::chrono::milliseconds now) {
  std::vector<std::string> due;
  for (One& one : results_) {
    if (!one.send_at || now < *one.send_at) continue;
    one.send_at.reset();
    ++one.resends;
    due.push_back(one.measure_id());
  }
  return due;
}

std::vector<std::string> KeptResults::TakeDroppedFromDisk() { return std::exchange(dropped_, {}); }

std::optional<std::chrono::milliseconds> KeptResults::NextDeadline(bool may_store) const {
  std::optional<std::chrono::milliseconds> next;
  const auto consider = [&](std::chrono::milliseconds when) {
    next = std::min(next.value_or(when), when);
  };
  for (const One& one : results_) {
    consider(one.since + kLongestKept);
    if (may_store && one.store_at) consider(*one.store_at);
    if (one.send_at) consider(*one.send_at);
  }
  return next;
}

}  // namespace bitpilot::daemon
