// Leases: which sessions may use the board, how, for how long, and under which fencing epochs.
//
// At most one RESERVATION is held, by which the board is its holder's alone; any number of sessions
// hold a lease PER_JOB beside it and beside each other.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/bitpilot.pb.h"

namespace bitpilot::daemon {

using LeaseKind = v1::LeaseRequest::Kind;

struct LeaseHolder {
  std::string session_id;
  std::string user_id;
  std::string name;  // Shown to others who ask.
  LeaseKind kind = v1::LeaseRequest::RESERVATION;
  int priority = 0;
  std::chrono::milliseconds ttl{0};
  std::uint64_t request_id = 0;  // Of the LeaseRequest.
};

struct Lease {
  LeaseHolder holder;
  std::uint64_t epoch = 0;
  std::chrono::milliseconds expires{0};
};

// Pure bookkeeping: every time is passed in. Epochs only ever grow, so a request that was sent under
// an older lease is recognized however late it arrives.
class Leases {
 public:
  // last_epoch: the highest one ever granted by this board.
  explicit Leases(std::uint64_t last_epoch) : last_epoch_(last_epoch) {}

  // Takes the next epoch for a session, which holds the lease from Confirm() on and none before.
  //
  // REQUIRES: of a RESERVATION: nobody else has one, held or taken.
  std::uint64_t Take(LeaseHolder holder);
  // The lease of `epoch`, which is stored now; nothing if its session is gone or asked again.
  const Lease* Confirm(std::uint64_t epoch, std::chrono::milliseconds now);
  // The epoch could not be stored: whose it was.
  std::optional<LeaseHolder> Cancel(std::uint64_t epoch);

  // What the session holds; null if nothing.
  const Lease* Find(const std::string& session_id) const;
  // The RESERVATION that is held, or whose epoch is being stored; null if there is none.
  const LeaseHolder* reservation() const;
  // Whether anybody holds a lease.
  bool empty() const { return held_.empty(); }
  // Whether another session than this one holds a lease PER_JOB.
  bool IsShared(const std::string& session_id) const;
  std::vector<std::string> Sessions() const;  // That hold one.

  // Any sign of life of a session.
  void Renew(const std::string& session_id, std::chrono::milliseconds now);
  // Ends what the session holds or has taken.
  void Release(const std::string& session_id);
  // Ends what has expired by now, and returns it.
  std::vector<Lease> Expire(std::chrono::milliseconds now);
  // When the next lease of a session for which `counts` expires.
  std::optional<std::chrono::milliseconds> NextExpiry(
      const std::function<bool(const std::string& session_id)>& counts) const;

 private:
  std::uint64_t last_epoch_ = 0;
  std::map<std::string, Lease> held_;           // By session.
  std::map<std::uint64_t, LeaseHolder> taken_;  // By epoch, which is being stored.
};

}  // namespace bitpilot::daemon
