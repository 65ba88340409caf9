#include "device_daemon/latency_sampler.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>

#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr int kMinWarmupRuns = 3;
constexpr std::size_t kSlopeWindows = 5;
constexpr double kSteadySlope = 0.01;
constexpr int kMaxInferencesPerWindow = 1 << 24;
constexpr double kMaxWallOverCpu = 0.02;
constexpr double kMaxHalfWidth = 0.10;

class LinuxClock final : public MeasureClock {
 public:
  std::int64_t WallNs() override { return Read(CLOCK_MONOTONIC_RAW); }
  std::int64_t ThreadCpuNs() override { return Read(CLOCK_THREAD_CPUTIME_ID); }

 private:
  static std::int64_t Read(clockid_t id) {
    timespec time{};
    clock_gettime(id, &time);
    return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
  }
};

struct WindowTime {
  std::int64_t wall_ns;
  std::int64_t cpu_ns;
};

WindowTime TimeWindow(const std::function<void()>& workload, int inferences, MeasureClock& clock) {
  const std::int64_t cpu_start = clock.ThreadCpuNs();
  const std::int64_t wall_start = clock.WallNs();
  for (int i = 0; i < inferences; ++i) workload();
  const std::int64_t wall_end = clock.WallNs();
  const std::int64_t cpu_end = clock.ThreadCpuNs();
  return {wall_end - wall_start, cpu_end - cpu_start};
}

struct WarmUpResult {
  double inference_ns;  // Mean of the last warm-up window.
  bool steady;
};

// Runs `workload` until its time is steady. Windows grow by 1.618 until they last warmup_window_ns.
Result<WarmUpResult> WarmUp(const std::function<void()>& workload, const SamplerPlan& plan,
                            MeasureClock& clock, const std::function<void()>& tick) {
  const std::int64_t start_ns = clock.WallNs();
  std::vector<double> means;
  int inferences = 1;
  int runs = 0;
  double mean_ns = 0.0;
  for (;;) {
    const std::int64_t window_ns = TimeWindow(workload, inferences, clock).wall_ns;
    runs += inferences;
    tick();
    const std::int64_t elapsed_ns = clock.WallNs() - start_ns;
    const bool too_short = window_ns < plan.warmup_window_ns && elapsed_ns < plan.warmup_max_ns;
    if (too_short || window_ns <= 0) {
      if (inferences > kMaxInferencesPerWindow) {
        return Unsupported("the clock does not advance over " + std::to_string(inferences) +
                           " inferences");
      }
      inferences = static_cast<int>(std::ceil(inferences * 1.618));
      continue;
    }
    mean_ns = static_cast<double>(window_ns) / inferences;
    means.push_back(mean_ns);
    const bool enough = runs >= kMinWarmupRuns && elapsed_ns >= plan.warmup_min_ns;
    const bool steady =
        means.size() >= kSlopeWindows &&
        std::abs(RelativeSlope(std::span(means).last(kSlopeWindows))) < kSteadySlope;
    if (enough && (steady || elapsed_ns >= plan.warmup_max_ns)) {
      return WarmUpResult{mean_ns, steady};
    }
  }
}

// How far the round's windows are above their series' medians, all but `skipped`: geometric mean.
double RoundFactor(const std::vector<WindowSeries>& series, const std::vector<double>& median_ns,
                   std::size_t skipped, std::size_t round) {
  double sum = 0.0;
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (i != skipped) sum += std::log(series[i].wall_ns[round] / median_ns[i]);
  }
  return std::exp(sum / static_cast<double>(series.size() - 1));
}

bool IsNarrowEnough(const std::vector<WindowSeries>& series, double target) {
  return std::all_of(series.begin(), series.end(), [&](const WindowSeries& one) {
    return SignTestInterval(one.wall_ns).relative_half_width() <= target;
  });
}

std::string Percent(double fraction) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", fraction * 100.0);
  return text;
}

void TimeRound(std::span<const std::function<void()>> workloads, bool backward, MeasureClock& clock,
               std::vector<WindowSeries>& series) {
  for (std::size_t i = 0; i < workloads.size(); ++i) {
    const std::size_t which = backward ? workloads.size() - 1 - i : i;
    if (workloads.size() > 1) workloads[which]();
    WindowSeries& one = series[which];
    const WindowTime time = TimeWindow(workloads[which], one.inferences_per_window, clock);
    one.wall_ns.push_back(static_cast<double>(time.wall_ns) / one.inferences_per_window);
    one.cpu_ns.push_back(static_cast<double>(time.cpu_ns) / one.inferences_per_window);
  }
}

}  // namespace

MeasureClock& SystemMeasureClock() {
  static LinuxClock clock;
  return clock;
}

SamplerPlan PlanFor(v1::MeasureSpec::Tier tier) {
  switch (tier) {
    case v1::MeasureSpec::SCREEN:
      return {25 * kMillisecond,
              5 * kMillisecond,
              50 * kMillisecond,
              150 * kMillisecond,
              {9},
              0.03,
              0.05};
    case v1::MeasureSpec::STANDARD:
      return {100 * kMillisecond,
              20 * kMillisecond,
              200 * kMillisecond,
              2'000 * kMillisecond,
              {9, 15, 21},
              0.01,
              0.02};
    case v1::MeasureSpec::AUDIT:
      return {50 * kMillisecond,
              20 * kMillisecond,
              300 * kMillisecond,
              3'000 * kMillisecond,
              {21, 31},
              0.005,
              0.02};
    default:
      BITPILOT_CHECK(false);
      return {};
  }
}

Result<std::vector<WindowSeries>> SampleLatency(std::span<const std::function<void()>> workloads,
                                                const SamplerPlan& plan, MeasureClock& clock,
                                                const ProgressFunction& progress) {
  BITPILOT_CHECK(!workloads.empty() && !plan.checkpoints.empty());
  std::vector<WindowSeries> series(workloads.size());
  for (std::size_t i = 0; i < workloads.size(); ++i) {
    const Result<WarmUpResult> warm =
        WarmUp(workloads[i], plan, clock, [&] { progress("warm-up", 0); });
    if (!warm.ok()) return warm.status();
    const double inferences = std::ceil(static_cast<double>(plan.window_ns) / warm->inference_ns);
    series[i].inferences_per_window =
        static_cast<int>(std::clamp(inferences, 1.0, double{kMaxInferencesPerWindow}));
    series[i].steady_after_warmup = warm->steady;
  }
  int done = 0;
  for (const int checkpoint : plan.checkpoints) {
    for (; done < checkpoint; ++done) {
      TimeRound(workloads, done % 2 == 1, clock, series);
      progress("timing", done + 1);
    }
    if (IsNarrowEnough(WithoutCommonDrift(series), plan.target_half_width)) break;
  }
  return series;
}

std::vector<WindowSeries> WithoutCommonDrift(std::vector<WindowSeries> series) {
  if (series.size() < 2) return series;
  std::vector<double> median_ns;
  for (const WindowSeries& one : series) median_ns.push_back(Median(one.wall_ns));
  const std::vector<WindowSeries> measured = series;
  for (std::size_t i = 0; i < series.size(); ++i) {
    for (std::size_t round = 0; round < series[i].wall_ns.size(); ++round) {
      const double factor = RoundFactor(measured, median_ns, i, round);
      series[i].wall_ns[round] /= factor;
      series[i].cpu_ns[round] /= factor;
    }
  }
  return series;
}

std::string FindDisturbance(const WindowSeries& series, const SamplerPlan& plan) {
  std::vector<double> wall_over_cpu;
  for (std::size_t i = 0; i < series.wall_ns.size(); ++i) {
    wall_over_cpu.push_back(series.wall_ns[i] / std::max(series.cpu_ns[i], 1.0) - 1.0);
  }
  const double excess = Median(wall_over_cpu);
  if (excess > kMaxWallOverCpu) {
    return "other work on the CPU: wall time is " + Percent(excess) + " above CPU time";
  }
  const double drift = Drift(series.wall_ns);
  if (std::abs(drift) > plan.drift_limit) {
    return "latency drifted by " + Percent(drift) + " while it was measured" +
           (series.steady_after_warmup ? "" : " (never steady in the warm-up)");
  }
  const double half_width = SignTestInterval(series.wall_ns).relative_half_width();
  if (half_width > kMaxHalfWidth) {
    return "windows scatter: the interval is +-" + Percent(half_width) + " wide";
  }
  return {};
}

}  // namespace bitpilot
