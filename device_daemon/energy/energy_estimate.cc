#include "device_daemon/energy/energy_estimate.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string>

#include "device_daemon/energy/plausibility.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr std::int64_t kMinWindowNs = 2'000'000'000;
constexpr std::int64_t kMinPeriods = 200;
constexpr double kMaxMissingShare = 1e-3;
constexpr double kMaxGapPeriods = 3.0;
constexpr double kMaxClockShare = 1e-3;
constexpr double kMaxIdleShift = 0.03;
constexpr std::size_t kMinWindows = 2;  // One window has no scatter.

// Without exact repetitions of a sample. Errors: times that go back, two values at one time.
Result<std::vector<EnergySample>> InOrder(const EnergyTrace& trace) {
  std::vector<EnergySample> samples;
  for (const EnergySample& sample : trace.samples) {
    if (!samples.empty() && sample.time_ns <= samples.back().time_ns) {
      const bool repeated =
          sample.time_ns == samples.back().time_ns && sample.value == samples.back().value;
      if (repeated) continue;
      return DataCorrupt("a sample at " + std::to_string(sample.time_ns) +
                         " ns came after the one at " + std::to_string(samples.back().time_ns) +
                         " ns: the meter's clock is not to be trusted");
    }
    samples.push_back(sample);
  }
  return samples;
}

// How long nobody looked because samples are missing: the gaps around them. One missing sample is
// bridged in any window, since of a slow source's few samples it is more than the limit's share.
Result<std::int64_t> BridgedNs(const EnergySourceInfo& source,
                               std::span<const EnergySample> samples) {
  const auto period_ns = static_cast<double>(source.period_ns);
  double missing = 0.0;
  double longest = 0.0;
  std::int64_t bridged_ns = 0;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    const std::int64_t gap_ns = samples[i].time_ns - samples[i - 1].time_ns;
    const double periods = static_cast<double>(gap_ns) / period_ns;
    longest = std::max(longest, periods);
    const double lost = std::max(0.0, std::round(periods) - 1.0);
    missing += lost;
    if (lost > 0.0) bridged_ns += gap_ns;
  }
  if (longest > kMaxGapPeriods) {
    return DataCorrupt("a gap of " + std::to_string(longest) + " sampling periods; at most 3");
  }
  const double share = missing / (missing + static_cast<double>(samples.size()));
  if (missing > 1.0 && share > kMaxMissingShare) {
    return DataCorrupt(std::to_string(share * 100.0) +
                       " % of the samples are missing; at most 0.1, or one");
  }
  return bridged_ns;
}

// From the last sample at or before the window to the first one at or behind it.
//
// REQUIRES: the samples are in order and cover the window.
std::span<const EnergySample> Around(std::span<const EnergySample> samples, std::int64_t begin_ns,
                                     std::int64_t end_ns) {
  const auto by_time = [](const EnergySample& sample, std::int64_t time_ns) {
    return sample.time_ns < time_ns;
  };
  auto first = std::lower_bound(samples.begin(), samples.end(), begin_ns, by_time);
  if (first->time_ns > begin_ns) --first;
  const auto last = std::lower_bound(first, samples.end(), end_ns, by_time);
  return {first, last + 1};
}

double Interpolate(const EnergySample& a, const EnergySample& b, std::int64_t time_ns) {
  const double share =
      static_cast<double>(time_ns - a.time_ns) / static_cast<double>(b.time_ns - a.time_ns);
  return a.value + share * (b.value - a.value);
}

// The samples inside the window, with interpolated ones at its edges.
//
// REQUIRES: the samples are in order and cover the window.
std::vector<EnergySample> Cut(const std::vector<EnergySample>& samples, std::int64_t begin_ns,
                              std::int64_t end_ns) {
  std::vector<EnergySample> inside;
  for (std::size_t i = 1; i < samples.size(); ++i) {
    const EnergySample& a = samples[i - 1];
    const EnergySample& b = samples[i];
    if (b.time_ns <= begin_ns || a.time_ns >= end_ns) continue;
    if (a.time_ns <= begin_ns) inside.push_back({begin_ns, Interpolate(a, b, begin_ns)});
    if (b.time_ns < end_ns) {
      inside.push_back(b);
    } else {
      inside.push_back({end_ns, Interpolate(a, b, end_ns)});
    }
  }
  return inside;
}

double IntegratePower(std::span<const EnergySample> inside) {
  double energy_j = 0.0;
  for (std::size_t i = 1; i < inside.size(); ++i) {
    const double seconds = static_cast<double>(inside[i].time_ns - inside[i - 1].time_ns) * 1e-9;
    energy_j += 0.5 * (inside[i].value + inside[i - 1].value) * seconds;
  }
  return energy_j;
}

// Between the two samples around `time_ns`: how long nobody looked there.
std::int64_t SpacingNs(const std::vector<EnergySample>& samples, std::int64_t time_ns) {
  const auto after = std::lower_bound(
      samples.begin() + 1, samples.end() - 1, time_ns,
      [](const EnergySample& sample, std::int64_t time) { return sample.time_ns < time; });
  return after->time_ns - std::prev(after)->time_ns;
}

Status CheckWindow(const EnergyTrace& trace, std::int64_t begin_ns, std::int64_t end_ns) {
  const std::int64_t min_ns = MinWindowNs(trace.source);
  if (end_ns - begin_ns < min_ns) {
    return InvalidArgument("a window of " + std::to_string(end_ns - begin_ns) +
                           " ns is too short for a sampling period of " +
                           std::to_string(trace.source.period_ns) + " ns; at least " +
                           std::to_string(min_ns) + " ns");
  }
  const double clock_share =
      static_cast<double>(trace.clock_uncertainty_ns) / static_cast<double>(end_ns - begin_ns);
  if (clock_share > kMaxClockShare) {
    return DataCorrupt("the meter's clock is known to " +
                       std::to_string(trace.clock_uncertainty_ns) +
                       " ns, which is more than 0.1 % of the window");
  }
  return {};
}

Result<WindowEnergy> Integrate(const EnergyTrace& trace, std::int64_t begin_ns,
                               std::int64_t end_ns) {
  BITPILOT_RETURN_IF_ERROR(CheckWindow(trace, begin_ns, end_ns));
  const Result<std::vector<EnergySample>> samples = InOrder(trace);
  if (!samples.ok()) return samples.status();
  if (samples->empty() || samples->front().time_ns > begin_ns || samples->back().time_ns < end_ns) {
    return DataCorrupt("the samples do not cover the window: the meter began late or ended early");
  }
  const std::vector<EnergySample> inside = Cut(*samples, begin_ns, end_ns);
  BITPILOT_RETURN_IF_ERROR(CheckPlausible(trace.source, inside));
  const bool is_power = trace.source.quantity == EnergyQuantity::kPowerW;
  std::int64_t unseen_ns = std::max(trace.source.period_ns, SpacingNs(*samples, begin_ns)) +
                           std::max(trace.source.period_ns, SpacingNs(*samples, end_ns));
  if (is_power) {
    const Result<std::int64_t> bridged_ns =
        BridgedNs(trace.source, Around(*samples, begin_ns, end_ns));
    if (!bridged_ns.ok()) return bridged_ns.status();
    unseen_ns += *bridged_ns;
  }
  WindowEnergy window{
      .energy_j = is_power ? IntegratePower(inside) : inside.back().value - inside.front().value,
      .seconds = static_cast<double>(end_ns - begin_ns) * 1e-9};
  const double unseen_share = static_cast<double>(unseen_ns) * 1e-9 / window.seconds;
  window.uncertainty_j = window.energy_j * std::hypot(unseen_share, trace.source.relative_accuracy);
  return window;
}

// What the windows scatter around, with what they have in common joined to the scatter.
EnergyFigure FigureOf(const std::vector<double>& values, double systematic) {
  const CenteredInterval interval = CenteredInterval95(values);
  return {interval.value, std::hypot(interval.half_width, systematic)};
}

// Power of the rest. Its uncertainty joins the instrument's and the edges' with how far the two
// rests differ.
struct IdlePower {
  double power_w = 0.0;
  double uncertainty_w = 0.0;
};

IdlePower IdlePowerOf(const WindowEnergy& before, const WindowEnergy& after) {
  const CenteredInterval interval =
      CenteredInterval95(std::array{before.power_w(), after.power_w()});
  const double systematic_w =
      std::max(before.uncertainty_j / before.seconds, after.uncertainty_j / after.seconds);
  return {interval.value, std::hypot(interval.half_width, systematic_w)};
}

}  // namespace

std::int64_t MinWindowNs(const EnergySourceInfo& source) {
  return std::max(kMinWindowNs, kMinPeriods * source.period_ns);
}

Result<WindowEnergy> IntegrateWindow(const EnergyTrace& trace, std::int64_t begin_ns,
                                     std::int64_t end_ns) {
  Result<WindowEnergy> window = Integrate(trace, begin_ns, end_ns);
  if (!window.ok()) return window.status().WithContext("energy source " + trace.source.name);
  return window;
}

Result<EnergyEstimate> EstimateEnergy(const EnergyWindows& windows) {
  if (windows.busy.size() < kMinWindows || windows.inferences.size() != windows.busy.size()) {
    return InvalidArgument("an energy estimate needs at least " + std::to_string(kMinWindows) +
                           " windows and their inferences, got " +
                           std::to_string(windows.busy.size()) + " and " +
                           std::to_string(windows.inferences.size()));
  }
  const IdlePower idle = IdlePowerOf(windows.idle_before, windows.idle_after);
  std::vector<double> gross_uj;
  std::vector<double> net_uj;
  std::vector<double> durations_ns;
  double gross_systematic = 0.0;
  double net_systematic = 0.0;
  for (std::size_t i = 0; i < windows.busy.size(); ++i) {
    const WindowEnergy& window = windows.busy[i];
    if (windows.inferences[i] <= 0) {
      return InvalidArgument("an energy window holds at least one inference");
    }
    const auto count = static_cast<double>(windows.inferences[i]);
    gross_uj.push_back(window.energy_j / count * 1e6);
    net_uj.push_back((window.energy_j - idle.power_w * window.seconds) / count * 1e6);
    durations_ns.push_back(window.seconds / count * 1e9);
    const double uncertainty_uj = window.uncertainty_j / count * 1e6;
    const double idle_uncertainty_uj = idle.uncertainty_w * window.seconds / count * 1e6;
    gross_systematic = std::max(gross_systematic, uncertainty_uj);
    net_systematic = std::max(net_systematic, std::hypot(uncertainty_uj, idle_uncertainty_uj));
  }
  const double idle_shift =
      std::fabs(windows.idle_after.power_w() / windows.idle_before.power_w() - 1.0);
  const bool idle_shifted = !(idle_shift <= kMaxIdleShift);
  std::optional<EnergyFigure> net;
  if (!idle_shifted) net = FigureOf(net_uj, net_systematic);
  Result<MeasuredEnergy> energy = MeasuredEnergy::Create(windows.source.sensor, windows.source.name,
                                                         FigureOf(gross_uj, gross_systematic), net);
  if (!energy.ok()) return energy.status();
  return EnergyEstimate{.energy = std::move(energy).value(),
                        .idle_power_w = idle.power_w,
                        .latency_ns = Median(durations_ns),
                        .idle_shifted = idle_shifted};
}

}  // namespace bitpilot
