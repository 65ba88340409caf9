// Poll schedule: when a source is looked at. The moments are multiples of the interval since the
// start, so what a look takes, or a late wake-up, moves none of those that follow.
#pragma once

#include <cstdint>

namespace bitpilot {

class PollSchedule {
 public:
  // REQUIRES: interval_ns > 0.
  PollSchedule(std::int64_t start_ns, std::int64_t interval_ns)
      : next_ns_(start_ns), interval_ns_(interval_ns) {}

  // The next moment: always a later one than the last call's, and after `now_ns`. Moments that
  // passed meanwhile are left out, not made up for.
  std::int64_t NextNs(std::int64_t now_ns) {
    next_ns_ += interval_ns_;
    if (next_ns_ <= now_ns) next_ns_ += ((now_ns - next_ns_) / interval_ns_ + 1) * interval_ns_;
    return next_ns_;
  }

 private:
  std::int64_t next_ns_;
  std::int64_t interval_ns_;
};

}  // namespace bitpilot
