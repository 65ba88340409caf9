// Gate: a board that is hot, throttled or short of voltage does not measure. It waits until it is
// fit, and after a bounded time refuses with a status that says why.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "device_daemon/energy/board_state.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

struct GateVerdict {
  v1::MeasureStatus status = v1::OK;  // or THERMAL_ABORT or POWER_ABORT
  std::string detail;
  int pauses = 0;  // How often it waited.
};

// The hottest zone of a state; nothing where the system tells no temperature.
std::optional<double> HottestCelsius(const BoardState& state);

class StateGate {
 public:
  // A board may measure up to the temperature that it has when it idles plus kMarginCelsius, and up
  // to kLeastLimitCelsius in any case: one that stays cool need not be as cool as at its start.
  static constexpr double kMarginCelsius = 8.0;
  static constexpr double kLeastLimitCelsius = 60.0;
  static constexpr int kMaxPauses = 120;

  enum class Heat { kLimited, kUnlimited };

  // read: the board's state now. pause: lets a second pass. The first reading is the idle
  // temperature. Heat::kUnlimited: of a machine that trains meanwhile, whose heat says nothing
  // about the measurement; only the firmware's limits count.
  StateGate(std::function<BoardState()> read, std::function<void()> pause, Heat heat);

  // Returns at once if the board is fit, and otherwise when it has become so, or after kMaxPauses
  // with the reason:
  //   THERMAL_ABORT  too hot, or the firmware limits the frequency.
  //   POWER_ABORT    the firmware sees too low a voltage.
  // tick: called at every pause, as a sign of life.
  GateVerdict Wait(const std::function<void()>& tick);

  double limit_celsius() const { return limit_celsius_; }

 private:
  GateVerdict Judge(const BoardState& state) const;

  std::function<BoardState()> read_;
  std::function<void()> pause_;
  double limit_celsius_;
};

}  // namespace bitpilot
