#include "device_daemon/measurement/board_baseline.h"

#include <string>

namespace bitpilot {
namespace {

constexpr double kLowestCelsius = -100.0;
constexpr double kHighestCelsius = 200.0;
// ResNet-8's 12.5 million products: no core comes near 2500 in a nanosecond.
constexpr double kShortestCanaryNs = 5e3;
constexpr double kLongestCanaryNs = 1e12;
constexpr double kWorthCelsius = 0.5;
constexpr double kWorthShare = 0.005;
constexpr double kLeastShare = 0.2;  // of the canary's time that was the best so far

}  // namespace

Status CheckBaseline(const v1::BoardBaseline& baseline) {
  const double celsius = baseline.idle_celsius();
  if (!(celsius >= kLowestCelsius && celsius <= kHighestCelsius)) {
    return DataCorrupt("idle_celsius must be in [-100, 200], got " + std::to_string(celsius));
  }
  if (baseline.has_canary_ns() != baseline.has_canary_scatter()) {
    return DataCorrupt("canary_ns and canary_scatter come together");
  }
  if (!baseline.has_canary_ns()) return {};
  const double canary_ns = baseline.canary_ns();
  if (!(canary_ns >= kShortestCanaryNs && canary_ns <= kLongestCanaryNs)) {
    return DataCorrupt("canary_ns must be in [5e3, 1e12], got " + std::to_string(canary_ns));
  }
  if (!(baseline.canary_scatter() >= 0.0 && baseline.canary_scatter() < 1.0)) {
    return DataCorrupt("canary_scatter must be in [0, 1), got " +
                       std::to_string(baseline.canary_scatter()));
  }
  return {};
}

Status CheckImprovement(const v1::BoardBaseline& seen, const v1::BoardBaseline& baseline) {
  if (!seen.has_canary_ns() || !baseline.has_canary_ns() ||
      seen.canary_ns() >= baseline.canary_ns() * kLeastShare) {
    return {};
  }
  return DataCorrupt("the canary cannot have become more than five times as fast: " +
                     std::to_string(baseline.canary_ns()) + " ns at its best so far, now " +
                     std::to_string(seen.canary_ns()));
}

bool ImproveBaseline(const v1::BoardBaseline& seen, v1::BoardBaseline& baseline) {
  bool worth = false;
  if (seen.has_idle_celsius() &&
      (!baseline.has_idle_celsius() || seen.idle_celsius() < baseline.idle_celsius())) {
    worth |= !baseline.has_idle_celsius() ||
             seen.idle_celsius() <= baseline.idle_celsius() - kWorthCelsius;
    baseline.set_idle_celsius(seen.idle_celsius());
  }
  if (seen.has_canary_ns() &&
      (!baseline.has_canary_ns() || seen.canary_ns() < baseline.canary_ns())) {
    worth |=
        !baseline.has_canary_ns() || seen.canary_ns() <= baseline.canary_ns() * (1.0 - kWorthShare);
    baseline.set_canary_ns(seen.canary_ns());
    baseline.set_canary_scatter(seen.canary_scatter());
  }
  return worth;
}

}  // namespace bitpilot
