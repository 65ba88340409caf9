// Step measurement: what a board's one or two measurements of a candidate come to.
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

// Measures in `tier` under the id. knows_energy: its energy phase is not needed.
using MeasureStepOnce = std::function<Result<StepRows>(Tier tier, const std::string& measurement_id,
                                                       bool knows_energy)>;

// SCREEN under `id`, and STANDARD under `id`-standard where that leaves the ratio less certain than
// +-2 %. The latter counts if it has numbers; if it failed, the former does, with its interval: the
// candidate has run, so it can be measured. Energy is that of the first that knows it: its windows
// are as long as the sensor needs in any tier.
//
// Errors: those of `measure`.
Result<StepRows> MeasureStep(const std::string& id, const MeasureStepOnce& measure);

}  // namespace bitpilot
