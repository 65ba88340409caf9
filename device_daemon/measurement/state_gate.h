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

class StateGate {
 public:
  // A board may measure up to the lowest temperature that it had since it booted plus
  // kMarginCelsius; up to kLeastLimitCelsius in any case, since one that stays cool need not be as
  // cool as at its start; and never beyond what no CPU at rest has.
  static constexpr double kMarginCelsius = 8.0;
  static constexpr double kLeastLimitCelsius = 60.0;
  static constexpr double kMostLimitCelsius = ZoneWatch::kTooHotCelsius;
  static constexpr int kMaxPauses = 120;

  enum class Heat { kLimited, kUnlimited };

  // read: the board's state now. pause: lets a second pass, with the CPU at rest. The state is read
  // at once, too: who makes a gate has not begun to work. Heat::kUnlimited: of a machine that trains
  // meanwhile, whose heat says nothing about the measurement; only the firmware's limits count.
  StateGate(std::function<BoardState()> read, std::function<void()> pause, Heat heat);

  // The board once was as cool as this: what another gate saw.
  void NoteIdleCelsius(double celsius);

  // Returns at once if the board is fit, and otherwise when it has become so, or after kMaxPauses
  // with the reason:
  //   THERMAL_ABORT  too hot, or the firmware limits the frequency.
  //   POWER_ABORT    the firmware sees too low a voltage.
  // tick: called at every pause, as a sign of life.
  GateVerdict Wait(const std::function<void()>& tick);

  // The lowest temperature so far; nothing where the system tells none that counts.
  std::optional<double> idle_celsius() const { return idle_celsius_; }
  // The zones as they were read last.
  const ZoneWatch& zones() const { return zones_; }
  // Reads the zones again, whatever the CPU does.
  void LookAtZones(const BoardState& state) { zones_.Look(state.zones, 0.0); }

 private:
  BoardState Read(double seconds_later);
  double LimitCelsius() const;
  GateVerdict Judge(const BoardState& state) const;

  std::function<BoardState()> read_;
  std::function<void()> pause_;
  Heat heat_;
  ZoneWatch zones_;
  std::optional<double> idle_celsius_;
};

}  // namespace bitpilot
