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

StateGate::StateGate(std::function<BoardState()> read, std::function<void()> pause, Heat heat)
    : read_(std::move(read)), pause_(std::move(pause)), heat_(heat) {
  Read(0.0);
}

void StateGate::NoteIdleCelsius(double celsius) {
  idle_celsius_ = std::min(idle_celsius_.value_or(celsius), celsius);
}

BoardState StateGate::Read(double seconds_later) {
  BoardState state = read_();
  zones_.Look(state.zones, seconds_later);
  if (const auto hottest = zones_.hottest_celsius()) NoteIdleCelsius(*hottest);
  return state;
}

double StateGate::LimitCelsius() const {
  if (heat_ == Heat::kUnlimited) return std::numeric_limits<double>::infinity();
  return std::clamp(idle_celsius_.value_or(0.0) + kMarginCelsius, kLeastLimitCelsius,
                    kMostLimitCelsius);
}

GateVerdict StateGate::Judge(const BoardState& state) const {
  if (state.throttle && state.throttle->under_voltage) {
    return {v1::POWER_ABORT, "the supply's voltage is too low; use a stronger supply"};
  }
  const std::optional<double> hottest = zones_.hottest_celsius();
  if (hottest && *hottest > LimitCelsius()) {
    return {v1::THERMAL_ABORT, "the board has " + Celsius(*hottest) + ", measuring is allowed to " +
                                   Celsius(LimitCelsius()) + "; cool it"};
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
    GateVerdict verdict = Judge(Read(pauses == 0 ? 0.0 : 1.0));
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
