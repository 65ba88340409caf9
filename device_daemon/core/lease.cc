#include "device_daemon/core/lease.h"

#include <utility>

namespace bitpilot::daemon {

std::uint64_t Lease::Reserve(const std::string& session_id, const std::string& holder_name,
                             std::chrono::milliseconds ttl) {
  holder_.reset();
  reserved_ = Holder{session_id, holder_name};
  reserved_ttl_ = ttl;
  return ++epoch_;
}

std::optional<std::string> Lease::Confirm(std::uint64_t epoch, std::chrono::milliseconds now) {
  if (!reserved_ || epoch != epoch_) return std::nullopt;
  holder_ = std::move(reserved_);
  reserved_.reset();
  ttl_ = reserved_ttl_;
  Renew(now);
  return holder_->session_id;
}

std::optional<std::string> Lease::CancelReservation() {
  if (!reserved_) return std::nullopt;
  std::string session_id = std::move(reserved_->session_id);
  reserved_.reset();
  return session_id;
}

}  // namespace bitpilot::daemon
