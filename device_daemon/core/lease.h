// Lease: which session may use the board, for how long, under which fencing epoch.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace bitpilot::daemon {

// Pure bookkeeping: every time is passed in. The epoch only ever grows, so a request that was sent
// under an older lease is recognized however late it arrives.
class Lease {
 public:
  // last_epoch: the highest one ever granted by this board.
  explicit Lease(std::uint64_t last_epoch) : epoch_(last_epoch) {}

  bool IsHeld(std::chrono::milliseconds now) const { return holder_ && now < expires_; }
  bool IsHeldBy(const std::string& session_id, std::chrono::milliseconds now) const {
    return IsHeld(now) && holder_->session_id == session_id;
  }

  // Reserves the next epoch for a session. It holds the lease from Confirm() on.
  //
  // REQUIRES: nobody else holds it.
  std::uint64_t Reserve(const std::string& session_id, const std::string& holder_name,
                        std::chrono::milliseconds ttl);
  // The session that reserved `epoch`, which is stored now; empty if the reservation is gone.
  std::optional<std::string> Confirm(std::uint64_t epoch, std::chrono::milliseconds now);
  // The epoch could not be stored: gives up the reservation and tells whose it was.
  std::optional<std::string> CancelReservation();
  bool HasReservation() const { return reserved_.has_value(); }
  bool IsReservedFor(const std::string& session_id) const {
    return reserved_ && reserved_->session_id == session_id;
  }

  // Any sign of life of the holder.
  void Renew(std::chrono::milliseconds now) { expires_ = now + ttl_; }
  void Release() { holder_.reset(); }

  std::uint64_t epoch() const { return epoch_; }
  std::chrono::milliseconds ttl() const { return ttl_; }
  std::chrono::milliseconds expires() const { return expires_; }
  // REQUIRES: the lease is or was held.
  const std::string& holder_session() const { return holder_->session_id; }
  const std::string& holder_name() const { return holder_->name; }
  bool has_holder() const { return holder_.has_value(); }

 private:
  struct Holder {
    std::string session_id;
    std::string name;
  };
  std::uint64_t epoch_ = 0;
  std::chrono::milliseconds ttl_{0};
  std::chrono::milliseconds expires_{0};
  std::optional<Holder> holder_;
  std::optional<Holder> reserved_;
  std::chrono::milliseconds reserved_ttl_{0};
};

}  // namespace bitpilot::daemon
