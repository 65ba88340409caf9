// Latency sampler: times workloads in windows, interleaved, until the median is known well enough.
//
//   1. Warm-up: each workload runs in short windows until the slope over the last five is below
//      1 %, for at least warmup_min_ns and at most warmup_max_ns (the first workload:
//      first_warmup_max_ns).
//   2. Calibration: the warm window's mean fixes how many inferences one timed window holds.
//   3. Rounds: each round times one window of every workload; the order alternates, so that a slow
//      change of the machine hits all of them alike. With several workloads an untimed inference
//      refills the caches first.
//   4. Stop rule: looked at only after the plan's checkpoints (looking after every window would
//      widen the real error): stop when every workload's exact interval is narrow enough.
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

// What the calling thread can read of time. A simulated one drives the tests.
class MeasureClock {
 public:
  virtual ~MeasureClock() = default;
  virtual std::int64_t WallNs() = 0;       // Monotonic; only differences mean something.
  virtual std::int64_t ThreadCpuNs() = 0;  // CPU time of the calling thread.
  // How often other work took the CPU from the calling thread; 0 where that is not counted.
  virtual std::int64_t InvoluntarySwitches() { return 0; }
};

// CLOCK_MONOTONIC_RAW (no adjustment by NTP), CLOCK_THREAD_CPUTIME_ID and getrusage().
MeasureClock& SystemMeasureClock();

struct SamplerPlan {
  std::int64_t window_ns = 0;         // Least wall time of one timed window, by calibration.
  std::int64_t warmup_window_ns = 0;  // The same while warming up.
  std::int64_t warmup_min_ns = 0;
  std::int64_t warmup_max_ns = 0;        // Of each workload but the first.
  std::int64_t first_warmup_max_ns = 0;  // Of the first, which also warms the CPU.
  // Numbers of windows, ascending; the last one ends the measurement.
  std::vector<int> checkpoints;
  double target_half_width = 0.0;  // Of the interval, as a fraction of the median.
  // Beyond these fractions of the median the measurement counts as disturbed (series_shape.h).
  double trend_limit = 0.0;
  double step_limit = 0.0;
  double gap_limit = 0.0;
  // Of interleaved networks: the widest half-width of a ratio's interval that still counts as
  // known (disturbance.h).
  double ratio_limit = 0.0;

  // For a CPU that measured a moment ago: the first workload needs no longer than the others.
  void MakeWarm() { first_warmup_max_ns = warmup_max_ns; }
};

// SCREEN: 9 windows of 25 ms. STANDARD: 9, 15 or 21 of 100 ms. AUDIT: 24, 32 or 40 rounds of 20 ms
// (even, so that both orders count alike), so that two networks are compared within 3 s.
//
// Looking three times widens the error by little: the intervals cover the true median in at least
// 95 % of 10,000 trials, whatever the noise (experiments/timing_statistics).
//
// REQUIRES: tier is one of the three.
SamplerPlan PlanFor(v1::MeasureSpec::Tier tier);

// The same, and for an extended AUDIT 100 rounds of 100 ms; windows are doubled as often as `spec`
// says.
//
// REQUIRES: spec.window_doublings() <= kMaxWindowDoublings.
SamplerPlan PlanFor(const v1::MeasureSpec& spec);

// All windows of one workload, in the order measured.
struct WindowSeries {
  int inferences_per_window = 0;
  bool steady_after_warmup = false;
  std::vector<double> wall_ns;  // Mean of one inference.
  std::vector<double> cpu_ns;   // Parallel to wall_ns.
  std::vector<int> switches;    // Parallel: involuntary context switches during the window.
};

// How far a measurement is. Estimates are those of the moment, and 0 while nothing was timed yet.
struct Progress {
  std::string_view phase;
  int windows_done = 0;           // timed rounds that are complete
  std::int64_t remaining_ns = 0;  // what the rest takes at most
  std::int64_t silence_ns = 0;    // the next call may be so far away
};

// Called after every window and every tuned layer, so that a slow network shows signs of life.
using ProgressFunction = std::function<void(const Progress&)>;

// Runs and times every workload (one call = one inference) on the calling thread: one alone, or
// several in interleaved rounds, a window of each in turn. Ends at the first checkpoint where every
// interval is narrow enough; of several workloads, the interval of their CPU times
// WithoutCommonDrift() (disturbance.h). Progress is told what the warm-up foretells.
//
// Errors:
//   kUnsupported  the clock does not advance over 2^24 calls of a workload.
Result<std::vector<WindowSeries>> SampleLatency(std::span<const std::function<void()>> workloads,
                                                const SamplerPlan& plan, MeasureClock& clock,
                                                const ProgressFunction& progress);

}  // namespace bitpilot
