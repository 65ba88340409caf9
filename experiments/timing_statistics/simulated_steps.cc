#include "experiments/timing_statistics/simulated_steps.h"

#include <utility>

#include "agent/session/repeat_budget.h"
#include "agent/session/step_measurement.h"
#include "agent/study/step_ids.h"
#include "kernels/base/check.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr double kTrueRatio = 0.9;

MeasurementRow ToRow(const WindowSeries& series, bool is_noisy) {
  MeasurementRow row;
  row.status = ToString(is_noisy ? MeasureStatus::kNoisy : MeasureStatus::kOk);
  row.window_ns = series.wall_ns;
  row.window_cpu_ns = series.cpu_ns;
  row.latency_median_ns = Median(series.wall_ns);
  return row;
}

}  // namespace

std::vector<StepDisturbance> AllStepDisturbances() {
  const Level slow = SlowAtRandom(0.2, 0.15);
  const Level step = StepAfter(0.05, 4);
  return {{"none", 0.0, Constant(1.0)},
          {"slow windows, passes by", 0.2, slow},
          {"slow windows, stays", 1.0, slow},
          {"step, passes by", 0.2, step},
          {"step, stays", 1.0, step}};
}

StepCounts SimulateSteps(const StepDisturbance& disturbance, const Noise& noise, double scale,
                         bool is_limited, int searches, std::uint64_t seed) {
  Random random(seed);
  StepCounts counts;
  for (int search = 0; search < searches; ++search) {
    RepeatBudget spent;
    for (int step = 0; step < kStepsOfASearch; ++step) {
      const auto measure = [&](const StepRequest& request) -> Result<StepRows> {
        const bool is_hit = std::bernoulli_distribution(disturbance.hits)(random);
        const Level candidate = [&](int window, Random& draws) {
          return kTrueRatio * (is_hit ? disturbance.level(window, draws) : 1.0);
        };
        const auto tier =
            request.tier == Tier::kScreen ? v1::MeasureSpec::SCREEN : v1::MeasureSpec::STANDARD;
        const Trial trial = RunTrial(tier, {candidate, Constant(1.0)}, noise, scale, random,
                                     request.window_doublings);
        if (IsRepeatedStep(request.measurement_id)) {
          spent.TookRepeat(trial.seconds);
        } else {
          spent.TookFirst(trial.seconds);
        }
        return StepRows{ToRow(trial.series[0], trial.noisy()),
                        ToRow(trial.series[1], trial.noisy()),
                        {},
                        trial.seconds,
                        !is_limited || spent.IsLeft()};
      };
      const Result<StepRows> rows = MeasureStep(StepId(step), measure);
      BITPILOT_CHECK(rows.ok());
      const MedianInterval ratio = rows->Ratio();
      ++counts.steps;
      counts.covered += ratio.low <= kTrueRatio && kTrueRatio <= ratio.high;
      counts.noisy += rows->IsNoisy();
    }
    counts.first_seconds += spent.first_seconds();
    counts.repeat_seconds += spent.repeat_seconds();
  }
  return counts;
}

}  // namespace bitpilot
