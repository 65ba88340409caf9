#include "device_daemon/measurement/state_gate.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <utility>

namespace bitpilot {
namespace {

std::string Celsius(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f C", value);
  return text;
}

}  // namespace

std::optional<double> HottestCelsius(const BoardState& state) {
  std::optional<double> hottest;
  for (const ThermalZone& zone : state.zones) {
    hottest = std::max(hottest.value_or(zone.celsius), zone.celsius);
  }
  return hottest;
}

StateGate::StateGate(std::function<BoardState()> read, std::function<void()> pause, Heat heat)
    : read_(std::move(read)),
      pause_(std::move(pause)),
      limit_celsius_(heat == Heat::kUnlimited
                         ? std::numeric_limits<double>::infinity()
                         : std::max(kLeastLimitCelsius,
                                    HottestCelsius(read_()).value_or(0.0) + kMarginCelsius)) {}

GateVerdict StateGate::Judge(const BoardState& state) const {
  if (state.throttle && state.throttle->under_voltage) {
    return {v1::POWER_ABORT, "the supply's voltage is too low; use a stronger supply"};
  }
  const std::optional<double> hottest = HottestCelsius(state);
  if (hottest && *hottest > limit_celsius_) {
    return {v1::THERMAL_ABORT, "the board has " + Celsius(*hottest) + ", measuring is allowed to " +
                                   Celsius(limit_celsius_) + "; cool it"};
  }
  if (state.throttle && (state.throttle->frequency_capped || state.throttle->throttled ||
                         state.throttle->soft_temperature_limit)) {
    return {v1::THERMAL_ABORT, "the firmware limits the frequency; cool the board"};
  }
  return {};
}

GateVerdict StateGate::Wait(const std::function<void()>& tick) {
  int pauses = 0;
  for (;;) {
    GateVerdict verdict = Judge(read_());
    verdict.pauses = pauses;
    if (verdict.status == v1::OK) return verdict;
    if (pauses == kMaxPauses) {
      verdict.detail += "; waited " + std::to_string(pauses) + " s in vain";
      return verdict;
    }
    ++pauses;
    tick();
    pause_();
  }
}

}  // namespace bitpilot
