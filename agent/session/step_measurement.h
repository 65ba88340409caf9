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
  double seconds = 0.0;  // of the board, for all of it
  // A repeat may follow: RepeatBudget::IsLeft() when this was logged.
  bool may_repeat = true;

  bool HasNumbers() const;
  bool IsNoisy() const;
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

// SCREEN under `id` (StepId()), then again, up to kMaxStepMeasurements in all:
//   as STANDARD under LongerStepId(), where that leaves the ratio less certain than +-2 %: its
//   windows are four times as long;
//   with windows twice as long (of an older daemon: as long) under RepeatedStepId(), where it was
//   NOISY and StepRows::may_repeat says so.
// The last one counts if it is OK. Where it stayed NOISY, or failed though the candidate has run
// before, the one with the narrowest interval of the ratio counts, the later one of equal ones. Energy
// is that of the first that knows it: its windows are as long as the sensor needs in any tier.
//
// Errors: those of `measure`.
Result<StepRows> MeasureStep(const std::string& id, const MeasureStepOnce& measure);

}  // namespace bitpilot
