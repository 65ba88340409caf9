#include "device_daemon/measurement/disturbance.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <numeric>
#include <string_view>

#include "device_daemon/measurement/series_shape.h"
#include "kernels/base/number_text.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr double kMaxWallOverCpu = 0.02;
constexpr double kMaxHalfWidth = 0.10;
constexpr std::string_view kCpuItself =
    "the CPU itself did: its frequency, its caches or a neighbour on the host; ";

std::string Percent(double fraction) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", fraction * 100.0);
  return text;
}

// Divides `times` of every series by how far the round's other windows are above their own series'
// medians: their geometric mean.
void DivideByTheOthers(std::vector<double> WindowSeries::*times,
                       std::vector<WindowSeries>& series) {
  std::vector<std::vector<double>> log_excess;
  for (const WindowSeries& one : series) {
    const double median = Median(one.*times);
    std::vector<double>& logs = log_excess.emplace_back();
    for (const double time : one.*times) logs.push_back(std::log(time / median));
  }
  for (std::size_t round = 0; round < (series.front().*times).size(); ++round) {
    double sum = 0.0;
    for (const std::vector<double>& logs : log_excess) sum += logs[round];
    for (std::size_t i = 0; i < series.size(); ++i) {
      const double others = (sum - log_excess[i][round]) / static_cast<double>(series.size() - 1);
      (series[i].*times)[round] /= std::exp(others);
    }
  }
}

std::string DescribeStep(const Step& step, std::size_t num_windows) {
  return "latency stepped by " + Percent(step.change) + " after window " +
         std::to_string(step.after) + " of " + std::to_string(num_windows);
}

// What is wrong with the windows, or an empty string.
std::string DescribeShape(const std::vector<double>& windows, const SamplerPlan& plan) {
  const std::optional<Step> step = FindStep(windows, plan.step_limit);
  const std::optional<Trend> trend = FindTrend(windows, plan.trend_limit);
  if (step && (!trend || step->misfit <= trend->misfit)) return DescribeStep(*step, windows.size());
  if (trend) return "latency drifted by " + Percent(trend->change) + " while it was measured";
  if (const auto speeds = FindTwoSpeeds(windows, plan.gap_limit)) {
    return "two speeds: " + std::to_string(speeds->slow_windows) + " of " +
           std::to_string(windows.size()) + " windows took " + Percent(speeds->slower_by) + " more";
  }
  const double half_width = SignTestInterval(windows).relative_half_width();
  if (half_width > kMaxHalfWidth) {
    return "windows scatter: the interval is +-" + Percent(half_width) + " wide";
  }
  return {};
}

// Wall time over CPU time, minus 1. Below 0 only without common drift: another network's window of
// the round was interrupted.
std::vector<double> WallOverCpu(const WindowSeries& series) {
  std::vector<double> excess;
  for (std::size_t i = 0; i < series.wall_ns.size(); ++i) {
    excess.push_back(series.wall_ns[i] / series.cpu_ns[i] - 1.0);
  }
  return excess;
}

std::string CountSwitches(const WindowSeries& series) {
  const int switches = std::accumulate(series.switches.begin(), series.switches.end(), 0);
  return std::to_string(switches) + " involuntary context switches";
}

std::string DescribeCause(const WindowSeries& series, const SamplerPlan& plan) {
  if (!DescribeShape(series.cpu_ns, plan).empty()) {
    return "CPU time changed alike, so " + std::string(kCpuItself) + CountSwitches(series);
  }
  std::vector<double> excess = WallOverCpu(series);
  for (double& one : excess) one = std::abs(one);
  const auto interrupted =
      std::count_if(excess.begin(), excess.end(), [](double one) { return one > kMaxWallOverCpu; });
  return "CPU time did not change, so other work took the CPU: in " +
         Counted(interrupted, "window") + ", at most " +
         Percent(*std::max_element(excess.begin(), excess.end())) + "; " + CountSwitches(series);
}

std::string DescribeVagueRatio(const WindowSeries& without_common_drift, const SamplerPlan& plan) {
  const double half_width = SignTestInterval(without_common_drift.cpu_ns).relative_half_width();
  if (half_width <= plan.ratio_limit) return {};
  return "rounds scatter: the interval of the ratio is +-" + Percent(half_width) + " wide after " +
         std::to_string(without_common_drift.cpu_ns.size()) + " rounds, more than +-" +
         Percent(plan.ratio_limit) + "; CPU times differ, so " + std::string(kCpuItself) +
         CountSwitches(without_common_drift);
}

}  // namespace

std::vector<WindowSeries> WithoutCommonDrift(std::vector<WindowSeries> series) {
  if (series.size() < 2) return series;
  DivideByTheOthers(&WindowSeries::wall_ns, series);
  DivideByTheOthers(&WindowSeries::cpu_ns, series);
  return series;
}

std::string FindDisturbance(const WindowSeries& series, const SamplerPlan& plan) {
  const double excess = Median(WallOverCpu(series));
  if (excess > kMaxWallOverCpu) {
    return "other work on the CPU: wall time is " + Percent(excess) +
           " above CPU time in the median window; " + CountSwitches(series);
  }
  const std::string shape = DescribeShape(series.wall_ns, plan);
  if (shape.empty()) return {};
  return shape + (series.steady_after_warmup ? "" : " (never steady in the warm-up)") + "; " +
         DescribeCause(series, plan);
}

std::vector<std::string> FindDisturbances(const std::vector<WindowSeries>& series,
                                          const SamplerPlan& plan) {
  std::vector<std::string> disturbances;
  for (const WindowSeries& judged : WithoutCommonDrift(series)) {
    std::string& found = disturbances.emplace_back(FindDisturbance(judged, plan));
    if (found.empty() && series.size() > 1) found = DescribeVagueRatio(judged, plan);
  }
  return disturbances;
}

}  // namespace bitpilot
