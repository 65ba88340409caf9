// ListeningClock: the time during which a thread listened to its boards.
#pragma once

#include <algorithm>
#include <chrono>

#include "agent/fleet/client_core.h"

namespace bitpilot {

// Patience with a board must not run out while nobody reads what it says: where this machine was
// suspended, or the thread that reads had no CPU for seconds, the answers lie there unread, and all boards
// would be taken for silent at once. So this clock goes on for as long as the thread waits for its boards,
// and between two waits by at most kMostBetween. It never goes back.
class ListeningClock {
 public:
  static constexpr std::chrono::milliseconds kMostBetween{100};

  // now: of any monotonic clock, here and below.
  explicit ListeningClock(Instant now) : time_(now), since_(now) {}

  // What the clock shows.
  Instant Time(Instant now) const { return time_ + std::min(now - since_, at_most_); }

  // A wait of at most `limit` begins. Until EndWait() the clock stays in front of its end: what was heard
  // meanwhile came before what is due then.
  void BeginWait(Instant now, std::chrono::milliseconds limit) {
    Restart(now);
    at_most_ = std::max(limit - std::chrono::milliseconds{1}, std::chrono::milliseconds{0});
    limit_ = limit;
  }

  // ... and is over, and all that was heard has been dealt with.
  void EndWait(Instant now) {
    at_most_ = limit_ + kMostBetween;
    Restart(now);
    at_most_ = kMostBetween;
  }

 private:
  void Restart(Instant now) {
    time_ = Time(now);
    since_ = now;
  }

  Instant time_;                                      // shown at `since_`
  Instant since_;                                     // the latest wait began or ended
  std::chrono::milliseconds at_most_ = kMostBetween;  // that it goes on from there
  std::chrono::milliseconds limit_{0};
};

}  // namespace bitpilot
