#include "agent/session/step_measurement.h"

#include <utility>

#include "agent/results/speed_claims.h"
#include "agent/study/step_ids.h"

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

bool StepRows::IsNoisy() const { return candidate.status == ToString(MeasureStatus::kNoisy); }

Result<StepRows> MeasureStep(const std::string& id, const MeasureStepOnce& measure) {
  StepRequest request{.measurement_id = id};
  Result<StepRows> last = measure(request);
  if (!last.ok() || !last->HasNumbers()) return last;
  StepRows best = *last;
  EnergyRatios energy = last->energy;
  for (int number = 1; number < kMaxStepMeasurements; ++number) {
    const bool is_certain = last->Ratio().relative_half_width() <= kMaxScreenHalfWidth;
    const bool takes_longer = request.tier == Tier::kScreen && !is_certain;
    if (takes_longer) {
      request.measurement_id = LongerStepId(id);
      request.tier = Tier::kStandard;
      request.window_doublings = 0;
    } else if (last->IsNoisy() && last->may_repeat) {
      request.measurement_id = RepeatedStepId(id, number);
      ++request.window_doublings;
    } else {
      break;
    }
    request.knows_energy = energy.measured.has_value();
    last = measure(request);
    if (!last.ok()) return last;
    if (!last->HasNumbers()) break;
    if (!request.knows_energy) energy = last->energy;
    const bool is_narrower =
        last->Ratio().relative_half_width() <= best.Ratio().relative_half_width();
    if (!last->IsNoisy() || is_narrower) best = *last;
  }
  best.energy = energy;
  return best;
}

}  // namespace bitpilot
