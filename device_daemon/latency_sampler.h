// Latency sampler: times workloads in windows, interleaved, until the median is known well enough.
//
//   1. Warm-up: each workload runs in short windows until the slope over the last five is below 1
//   %, for at least
//      warmup_min_ns and at most warmup_max_ns.
//   2. Calibration: the warm window's mean fixes how many inferences one timed window holds.
//   3. Rounds: each round times one window of every workload; the order alternates, so that a slow
//   change of the
//      machine hits all of them alike. With several workloads an untimed inference refills the
//      caches first.
//   4. Stop rule: looked at only after the plan's checkpoints (looking after every window would
//   widen the real
//      error): stop when every workload's exact interval is narrow enough.
//
// Windows are never dropped: whoever reads the result sees all of them.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// Two clocks of the calling thread. A simulated one drives the tests.
class MeasureClock {
 public:
  virtual ~MeasureClock() = default;
  virtual std::int64_t WallNs() = 0;       // Monotonic; only differences mean something.
  virtual std::int64_t ThreadCpuNs() = 0;  // CPU time of the calling thread.
};

// CLOCK_MONOTONIC_RAW (no adjustment by NTP) and CLOCK_THREAD_CPUTIME_ID.
MeasureClock& SystemMeasureClock();

struct SamplerPlan {
  std::int64_t window_ns = 0;         // Least wall time of one timed window, by calibration.
  std::int64_t warmup_window_ns = 0;  // The same while warming up.
  std::int64_t warmup_min_ns = 0;
  std::int64_t warmup_max_ns = 0;
  std::vector<int>
      checkpoints;  // Numbers of windows, ascending; the last one ends the measurement.
  double target_half_width = 0.0;  // Of the interval, as a fraction of the median.
  double drift_limit = 0.0;        // Above it the measurement counts as disturbed.
};

// SCREEN: 9 windows of 25 ms. STANDARD: 9 to 21 of 100 ms. AUDIT: 21 or 31 rounds of 50 ms.
//
// REQUIRES: tier is one of the three.
SamplerPlan PlanFor(v1::MeasureSpec::Tier tier);

// All windows of one workload, in the order measured.
struct WindowSeries {
  int inferences_per_window = 0;
  bool steady_after_warmup = false;
  std::vector<double> wall_ns;  // Mean of one inference.
  std::vector<double> cpu_ns;   // Parallel to wall_ns.
};

// Called between windows with what is going on and how many timed rounds are complete.
using ProgressFunction = std::function<void(std::string_view phase, int windows_done)>;

// Runs and times every workload (one call = one inference) on the calling thread: one alone, or
// several in interleaved rounds, a window of each in turn. Ends at the first checkpoint where every
// interval is narrow enough; of several workloads, the interval of WithoutCommonDrift().
//
// Errors:
//   kUnsupported  the clock does not advance over 2^24 calls of a workload.
Result<std::vector<WindowSeries>> SampleLatency(std::span<const std::function<void()>> workloads,
                                                const SamplerPlan& plan, MeasureClock& clock,
                                                const ProgressFunction& progress);

// Interleaved rounds are there to compare. A machine that slows down for a while slows all of a
// round: that moves each latency but none of their ratios. Returns the series with every window
// divided by what the round's other windows were above their own medians; a single series as it is.
//
// REQUIRES: equally many windows in each.
std::vector<WindowSeries> WithoutCommonDrift(std::vector<WindowSeries> series);

// Why a series must not be trusted as it is, or an empty string. Reasons: other work on the CPU
// (wall time above CPU time by more than 2 % in the median window), drift above the plan's limit,
// an interval wider than +-10 %.
std::string FindDisturbance(const WindowSeries& series, const SamplerPlan& plan);

}  // namespace bitpilot
