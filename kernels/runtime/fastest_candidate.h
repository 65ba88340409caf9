// Which of a few ways to do the same work takes the least time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace bitpilot {

struct FastestCandidate {
  std::size_t index = 0;
  // How much longer the best of the others takes, as a fraction of this one's time; down to -0.02
  // where this one is preferred.
  double margin = 0.0;
};

// Runs the candidates in alternation and compares the least time of each: whatever disturbs a run
// only adds. Preferred first: a later one wins only if it is more than 2 % faster, so that equal
// ones do not alternate from start to start. Every candidate is timed at least kMinTimingRounds times, or
// until it is hopeless: half as slow again as the best, after two rounds. Short ones get more
// rounds, up to 3 ms in all.
//
// cpu_ns: the time, in nanoseconds; ThreadCpuNs() but for tests.   tick: called between rounds.
//
// REQUIRES: there are two candidates or more; a run takes time.
FastestCandidate FindFastest(std::span<const std::function<void()>> candidates,
                             const std::function<std::int64_t()>& cpu_ns,
                             const std::function<void()>& tick);

// Of FindFastest().
inline constexpr int kMinTimingRounds = 5;

}  // namespace bitpilot
