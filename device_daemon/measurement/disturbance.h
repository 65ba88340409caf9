// Disturbance: why a series of timed windows must not be trusted as it is, in words that name what
// happened, the numbers that show it, and whose doing it was.
//
// Whose doing it was is read from the thread's CPU time, which stands still while other work has
// the CPU: what is there in wall time and not in CPU time was other work; what is there in both was
// the CPU itself (its frequency, its caches, or a neighbour that the operating system cannot see).
#pragma once

#include <string>
#include <vector>

#include "device_daemon/measurement/latency_sampler.h"

namespace bitpilot {

// Interleaved rounds are there to compare. A machine that slows down for a while slows all of a
// round: that moves each latency but none of their ratios. Returns the series with every window
// divided by what the round's other windows were above their own medians, wall time by wall time
// and CPU time by CPU time; a single series as it is.
//
// REQUIRES: equally many windows in each; positive times.
std::vector<WindowSeries> WithoutCommonDrift(std::vector<WindowSeries> series);

// Empty if nothing was found. Otherwise the first of:
//   other work on the CPU  wall time above CPU time by more than 2 % in the median window
//   a step, or a drift     beyond the plan's limits, whichever fits the windows better
//   two speeds             a group of windows apart from the others
//   scatter                an interval wider than +-10 %
// and but for the first, its cause as above, with the involuntary context switches counted.
//
// REQUIRES: at least one window; positive times; wall_ns, cpu_ns and switches are parallel.
std::string FindDisturbance(const WindowSeries& series, const SamplerPlan& plan);

// The same for networks measured in interleaved rounds, one entry each, judged
// WithoutCommonDrift(). Rounds are there to compare, so of several networks it also says where a
// ratio stays vague:
//   rounds scatter         the interval of a network's CPU times, which of two networks is that of
//                          their ratio, reaches further than the plan's ratio_limit
//
// REQUIRES: as WithoutCommonDrift() and FindDisturbance().
std::vector<std::string> FindDisturbances(const std::vector<WindowSeries>& series,
                                          const SamplerPlan& plan);

}  // namespace bitpilot
