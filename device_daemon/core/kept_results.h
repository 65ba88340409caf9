// Kept results: what measurements found and no agent has acknowledged yet.
//
// A result is asked for again until its agent has it, also after a restart of the daemon. Most are
// acknowledged at once; the others are written to the disk, after a moment, so that no measurement
// waits for it, and never in the middle of one, which it would disturb. An agent records a result with
// what the board is like when it fetches it: what a board measured that was different in anything that its
// fingerprint holds (agent/fleet/board_conditions.h), or does not say what it was like, is dropped.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "proto/bitpilot.pb.h"

namespace bitpilot::daemon {

// All that an agent's fingerprint of the board is made of.
std::string MeasurerOf(const v1::DeviceCapabilities& capabilities);

// Pure bookkeeping. The oldest make room.
class KeptResults {
 public:
  static constexpr std::size_t kMaxResults = 1024;
  static constexpr std::size_t kMaxBytes = std::size_t{64} << 20;
  static constexpr std::chrono::milliseconds kStoreDelay{500};
  static constexpr std::chrono::milliseconds kResendPause{1'000};
  static constexpr int kMaxResends = 60;                 // Then it waits until it is asked for.
  static constexpr std::chrono::hours kLongestKept{24};  // Counted anew at every start.

  // What an earlier run of the daemon left on the disk. It is dropped there unless this measurer gave it.
  //
  // measurer: of this run. Returns whether it is kept.
  bool Load(v1::KeptResult kept, const std::string& measurer, std::chrono::milliseconds now);
  // session_id: who asked for it.
  void Add(v1::KeptResult kept, std::string session_id, std::chrono::milliseconds now);

  // Null if there is none.
  const v1::KeptResult* Find(const std::string& measure_id) const;
  // Whose it is now: the session that asked for it last; empty after a restart.
  const std::string& SessionOf(const std::string& measure_id) const;
  std::size_t size() const { return results_.size(); }
  std::vector<std::string> IdsOf(const std::string& user_id) const;  // Oldest first.

  // A session of its user asked for it.
  void NoteAsked(const std::string& measure_id, const std::string& session_id);
  // Its user has it.
  void Forget(const std::string& measure_id, const std::string& user_id);
  void KeepUsers(const std::set<std::string>& user_ids);

  // The result is to be sent again after kResendPause, but not more than kMaxResends times.
  void NoteNotSent(const std::string& measure_id, std::chrono::milliseconds now);
  // Drops what is too old.
  void Expire(std::chrono::milliseconds now);

  // These three hand out each once.
  std::vector<std::string> TakeDueToStore(std::chrono::milliseconds now);
  std::vector<std::string> TakeDueToSend(std::chrono::milliseconds now);
  std::vector<std::string> TakeDroppedFromDisk();  // That were stored and are gone.

  // When time alone changes something. may_store: whether what is due is stored.
  std::optional<std::chrono::milliseconds> NextDeadline(bool may_store) const;

 private:
  struct One {
    v1::KeptResult kept;
    std::string session_id;
    std::size_t size_bytes = 0;
    std::chrono::milliseconds since{0};
    std::optional<std::chrono::milliseconds> store_at;
    std::optional<std::chrono::milliseconds> send_at;
    int resends = 0;
    bool is_stored = false;

    const std::string& measure_id() const { return kept.result().measure_id(); }
  };
  void Insert(One one);
  template <typename Condition>
  void DropIf(const Condition& condition);
  const One* FindOne(const std::string& measure_id) const;
  One* FindOne(const std::string& measure_id);

  std::deque<One> results_;  // Oldest first.
  std::size_t size_bytes_ = 0;
  std::vector<std::string> dropped_;
};

}  // namespace bitpilot::daemon
