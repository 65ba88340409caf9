#include "device_daemon/measurement/latency_sampler.h"

#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "device_daemon/measurement/disturbance.h"
#include "device_daemon/measurement/job_forecast.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr int kMinWarmupRuns = 3;
constexpr std::size_t kSlopeWindows = 5;
constexpr double kSteadySlope = 0.01;
constexpr int kMaxInferencesPerWindow = 1 << 24;

class LinuxClock final : public MeasureClock {
 public:
  std::int64_t WallNs() override { return Read(CLOCK_MONOTONIC_RAW); }
  std::int64_t ThreadCpuNs() override { return Read(CLOCK_THREAD_CPUTIME_ID); }
  std::int64_t InvoluntarySwitches() override {
    rusage usage{};
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
  }

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

// Runs `workload` until its time is steady, at most max_ns. Windows grow by 1.618 until they last
// warmup_window_ns.
Result<WarmUpResult> WarmUp(const std::function<void()>& workload, const SamplerPlan& plan,
                            std::int64_t max_ns, MeasureClock& clock,
                            const std::function<void(double inference_ns)>& tick) {
  const std::int64_t start_ns = clock.WallNs();
  std::vector<double> means;
  int inferences = 1;
  int runs = 0;
  double mean_ns = 0.0;
  for (;;) {
    const std::int64_t window_ns = TimeWindow(workload, inferences, clock).wall_ns;
    runs += inferences;
    tick(static_cast<double>(window_ns) / inferences);
    const std::int64_t elapsed_ns = clock.WallNs() - start_ns;
    const bool too_short = window_ns < plan.warmup_window_ns && elapsed_ns < max_ns;
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
    if (enough && (steady || elapsed_ns >= max_ns)) {
      return WarmUpResult{mean_ns, steady};
    }
  }
}

// One alone is to have a narrow latency; several are there to be compared, which CPU times are:
// what other programs take widens a latency, and more rounds would not narrow it.
bool IsNarrowEnough(const std::vector<WindowSeries>& series, double target) {
  return std::all_of(series.begin(), series.end(), [&](const WindowSeries& one) {
    const std::vector<double>& times = series.size() == 1 ? one.wall_ns : one.cpu_ns;
    return SignTestInterval(times).relative_half_width() <= target;
  });
}

void TimeRound(std::span<const std::function<void()>> workloads, bool backward, MeasureClock& clock,
               const std::function<void(std::size_t timed)>& tick,
               std::vector<WindowSeries>& series) {
  for (std::size_t i = 0; i < workloads.size(); ++i) {
    const std::size_t which = backward ? workloads.size() - 1 - i : i;
    if (workloads.size() > 1) workloads[which]();
    WindowSeries& one = series[which];
    const std::int64_t switches_before = clock.InvoluntarySwitches();
    const WindowTime time = TimeWindow(workloads[which], one.inferences_per_window, clock);
    one.switches.push_back(static_cast<int>(clock.InvoluntarySwitches() - switches_before));
    one.wall_ns.push_back(static_cast<double>(time.wall_ns) / one.inferences_per_window);
    one.cpu_ns.push_back(static_cast<double>(time.cpu_ns) / one.inferences_per_window);
    if (i + 1 < workloads.size()) tick(i + 1);
  }
}

}  // namespace

MeasureClock& SystemMeasureClock() {
  static LinuxClock clock;
  return clock;
}

SamplerPlan PlanFor(v1::MeasureSpec::Tier tier) {
  SamplerPlan plan;
  plan.warmup_window_ns = 5 * kMillisecond;
  plan.warmup_min_ns = 50 * kMillisecond;
  plan.warmup_max_ns = 150 * kMillisecond;
  plan.first_warmup_max_ns = 1'000 * kMillisecond;
  plan.trend_limit = 0.015;
  plan.step_limit = 0.025;
  plan.gap_limit = 0.05;
  plan.ratio_limit = 0.02;
  switch (tier) {
    case v1::MeasureSpec::SCREEN:
      plan.window_ns = 25 * kMillisecond;
      plan.checkpoints = {9};
      plan.target_half_width = 0.03;
      plan.trend_limit = 0.05;
      plan.step_limit = 0.05;
      plan.gap_limit = 0.10;
      plan.ratio_limit = 0.05;
      return plan;
    case v1::MeasureSpec::STANDARD:
      plan.window_ns = 100 * kMillisecond;
      plan.checkpoints = {9, 15, 21};
      plan.target_half_width = 0.01;
      return plan;
    case v1::MeasureSpec::AUDIT:
      plan.window_ns = 20 * kMillisecond;
      plan.checkpoints = {24, 32, 40};
      plan.target_half_width = 0.005;
      plan.ratio_limit = 0.01;
      return plan;
    default:
      BITPILOT_CHECK(false);
      return {};
  }
}

SamplerPlan PlanFor(const v1::MeasureSpec& spec) {
  SamplerPlan plan = PlanFor(spec.tier());
  if (spec.tier() == v1::MeasureSpec::AUDIT && spec.extended()) {
    plan.window_ns = 100 * kMillisecond;
    plan.checkpoints = {100};
  }
  plan.window_ns <<= spec.window_doublings();
  return plan;
}

Result<std::vector<WindowSeries>> SampleLatency(std::span<const std::function<void()>> workloads,
                                                const SamplerPlan& plan, MeasureClock& clock,
                                                const ProgressFunction& progress) {
  BITPILOT_CHECK(!workloads.empty() && !plan.checkpoints.empty());
  std::vector<WindowSeries> series(workloads.size());
  JobForecast forecast(plan, workloads.size());
  for (std::size_t i = 0; i < workloads.size(); ++i) {
    const auto tick = [&](double inference_ns) {
      forecast.SetInference(i, inference_ns);
      progress({"warm-up", 0, forecast.RemainingNs(0, 0), forecast.SilenceNs()});
    };
    const Result<WarmUpResult> warm = WarmUp(
        workloads[i], plan, i == 0 ? plan.first_warmup_max_ns : plan.warmup_max_ns, clock, tick);
    if (!warm.ok()) return warm.status();
    const double inferences = std::ceil(static_cast<double>(plan.window_ns) / warm->inference_ns);
    series[i].inferences_per_window =
        static_cast<int>(std::clamp(inferences, 1.0, double{kMaxInferencesPerWindow}));
    series[i].steady_after_warmup = warm->steady;
  }
  int done = 0;
  for (const int checkpoint : plan.checkpoints) {
    const auto tick = [&](std::size_t timed) {
      progress({"timing", done, forecast.RemainingNs(done, timed), forecast.SilenceNs()});
    };
    while (done < checkpoint) {
      TimeRound(workloads, done % 2 == 1, clock, tick, series);
      ++done;
      tick(0);
    }
    if (IsNarrowEnough(WithoutCommonDrift(series), plan.target_half_width)) break;
  }
  return series;
}

}  // namespace bitpilot
