// Step measurement: what a board's measurements of one candidate come to.
#pragma once

#include <functional>
#include <string>

#include "agent/fleet/board.h"
#include "agent/study/energy_ratios.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {

// What one interleaved measurement says of a candidate and of uniform 8 bit.
struct StepRows {
  MeasurementRow candidate;
  MeasurementRow uniform8;
  EnergyRatios energy;

  bool HasNumbers() const;
  // REQUIRES: HasNumbers().
  MedianInterval Ratio() const;
};

// For a step's measurement before it is logged: a search that is resumed measures it again.
//
// Errors: kInternal if the board's output differs from the host's: no number of that board can be
// trusted then.
Status CheckExact(const Measurement& measurement);

// One measurement of a step's candidate.
struct StepRequest {
  std::string measurement_id;
  Tier tier = Tier::kScreen;
  int window_doublings = 0;   // MeasureJob::window_doublings
  bool knows_energy = false;  // its energy phase is not needed
};
using MeasureStepOnce = std::function<Result<StepRows>(const StepRequest& request)>;

// Measurements of one step at most.
inline constexpr int kMaxStepMeasurements = 3;

// SCREEN under `id`, then again, up to kMaxStepMeasurements in all:
//   as STANDARD under `id`-standard, where that leaves the ratio less certain than +-2 %: its
//   windows are four times as long;
//   with windows twice as long under `id`-again-1 and -2, where it was NOISY.
// The last one counts that has numbers; if a later one failed, the one before does, with its
// interval: the candidate has run, so it can be measured. Energy is that of the first that knows
// it: its windows are as long as the sensor needs in any tier.
//
// Errors: those of `measure`.
Result<StepRows> MeasureStep(const std::string& id, const MeasureStepOnce& measure);

}  // namespace bitpilot
