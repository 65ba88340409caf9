#include "agent/session/step_measurement.h"

#include <utility>

#include "agent/results/speed_claims.h"

namespace bitpilot {
namespace {

// A candidate whose ratio to 8 bit the short measurement leaves less certain gets a longer one.
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
  StepRequest request{.measurement_id = id};
  Result<StepRows> best = measure(request);
  for (int number = 1; number < kMaxStepMeasurements; ++number) {
    if (!best.ok() || !best->HasNumbers()) return best;
    const bool is_certain = best->Ratio().relative_half_width() <= kMaxScreenHalfWidth;
    if (request.tier == Tier::kScreen && !is_certain) {
      request.measurement_id = id + "-standard";
      request.tier = Tier::kStandard;
      request.window_doublings = 0;
    } else if (best->candidate.status == ToString(MeasureStatus::kNoisy)) {
      request.measurement_id = id + "-again-" + std::to_string(number);
      ++request.window_doublings;
    } else {
      return best;
    }
    request.knows_energy = best->energy.measured.has_value();
    Result<StepRows> longer = measure(request);
    if (!longer.ok()) return longer;
    if (!longer->HasNumbers()) return best;
    if (request.knows_energy) longer->energy = best->energy;
    best = std::move(longer);
  }
  return best;
}

}  // namespace bitpilot
