#include "agent/session/step_measurement.h"

#include <utility>

#include "agent/results/speed_claims.h"

namespace bitpilot {
namespace {

// A candidate whose ratio to 8 bit the short measurement leaves less certain gets the longer one.
constexpr double kMaxScreenHalfWidth = 0.02;

}  // namespace

Status CheckExact(const Measurement& measurement) {
  if (measurement.status != MeasureStatus::kWrongOutput) return {};
  return {StatusCode::kInternal, "the board's output differs from the host's reference (" +
                                     measurement.detail +
                                     "): a kernel is wrong on that board, so the search stops"};
}

bool StepRows::HasNumbers() const {
  return candidate.latency_median_ns && uniform8.latency_median_ns;
}

MedianInterval StepRows::Ratio() const { return RatioOf(candidate, uniform8); }

Result<StepRows> MeasureStep(const std::string& id, const MeasureStepOnce& measure) {
  Result<StepRows> screen = measure(Tier::kScreen, id, /*knows_energy=*/false);
  if (!screen.ok()) return screen;
  const bool is_certain =
      !screen->HasNumbers() || screen->Ratio().relative_half_width() <= kMaxScreenHalfWidth;
  if (is_certain) return screen;
  const bool knows_energy = screen->energy.measured.has_value();
  Result<StepRows> standard = measure(Tier::kStandard, id + "-standard", knows_energy);
  if (!standard.ok()) return standard;
  if (!standard->HasNumbers()) return screen;
  if (knows_energy) standard->energy = screen->energy;
  return standard;
}

}  // namespace bitpilot
