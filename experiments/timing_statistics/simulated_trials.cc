#include "experiments/timing_statistics/simulated_trials.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "device_daemon/measurement/disturbance.h"
#include "kernels/base/check.h"
#include "kernels/base/round_comparison.h"

namespace bitpilot {
namespace {

// The least latency that noise can bring a window down to, as a fraction of the level.
constexpr double kLeastFactor = 0.1;
constexpr double kParetoExponent = 1.5;
// So much longer than a window is an inference: only the rarest noise brings it under one.
constexpr double kInferenceOverWindow = 1.25;

// Time passes only while a simulated network runs.
class SimulatedMachine final : public MeasureClock {
 public:
  std::int64_t WallNs() override { return now_ns_; }
  std::int64_t ThreadCpuNs() override { return now_ns_; }
  void Pass(double duration_ns) { now_ns_ += std::llround(duration_ns); }

 private:
  std::int64_t now_ns_ = 0;
};

double Uniform(Random& random) { return std::uniform_real_distribution<double>()(random); }

}  // namespace

std::vector<Noise> AllNoises() {
  const double pareto_median = std::pow(0.5, -1.0 / kParetoExponent);
  return {
      {"normal", [](Random& random) { return std::normal_distribution<double>()(random); }},
      {"t, 3 d.f.", [](Random& random) { return std::student_t_distribution<double>(3)(random); }},
      {"t, 2 d.f.", [](Random& random) { return std::student_t_distribution<double>(2)(random); }},
      {"exponential",
       [](Random& random) {
         return std::exponential_distribution<double>()(random) - std::log(2.0);
       }},
      {"log-normal",
       [](Random& random) { return std::lognormal_distribution<double>()(random) - 1.0; }},
      {"Pareto 1.5",
       [pareto_median](Random& random) {
         return std::pow(1.0 - Uniform(random), -1.0 / kParetoExponent) - pareto_median;
       }},
  };
}

Level Constant(double level) {
  return [level](int, Random&) { return level; };
}

Level Ramp(double change, int windows) {
  return [=](int window, Random&) { return 1.0 + change * window / (windows - 1); };
}

Level StepAfter(double change, int windows) {
  return [=](int window, Random&) { return window < windows ? 1.0 : 1.0 + change; };
}

Level SlowAtRandom(double share, double slower_by) {
  return [=](int, Random& random) { return Uniform(random) < share ? 1.0 + slower_by : 1.0; };
}

double UnitLatencyNs(v1::MeasureSpec::Tier tier) {
  return kInferenceOverWindow * static_cast<double>(PlanFor(tier).window_ns);
}

bool Trial::noisy() const {
  return std::any_of(disturbances.begin(), disturbances.end(),
                     [](const std::string& one) { return !one.empty(); });
}

Trial RunTrial(v1::MeasureSpec::Tier tier, const std::vector<Level>& levels, const Noise& noise,
               double scale, Random& random, int window_doublings) {
  v1::MeasureSpec spec;
  spec.set_tier(tier);
  spec.set_window_doublings(static_cast<std::uint32_t>(window_doublings));
  const SamplerPlan plan = PlanFor(spec);
  SimulatedMachine machine;
  int window = 0;
  std::vector<std::function<void()>> workloads;
  for (const Level& level : levels) {
    workloads.emplace_back([&] {
      const double factor = std::max(kLeastFactor, 1.0 + scale * noise.draw(random));
      machine.Pass(UnitLatencyNs(tier) * level(window, random) * factor);
    });
  }
  Result<std::vector<WindowSeries>> series = SampleLatency(
      workloads, plan, machine, [&](const Progress& now) { window = now.windows_done; });
  BITPILOT_CHECK(series.ok());
  Trial trial;
  trial.disturbances = FindDisturbances(*series, plan);
  trial.series = std::move(*series);
  trial.seconds = 1e-9 * static_cast<double>(machine.WallNs());
  return trial;
}

double Coverage(v1::MeasureSpec::Tier tier, const Noise& noise, double scale, int trials,
                std::uint64_t seed) {
  Random random(seed);
  int covered = 0;
  for (int i = 0; i < trials; ++i) {
    const Trial trial = RunTrial(tier, {Constant(1.0)}, noise, scale, random);
    const MedianInterval interval = SignTestInterval(trial.series.front().wall_ns);
    covered += interval.low <= UnitLatencyNs(tier) && UnitLatencyNs(tier) <= interval.high;
  }
  return static_cast<double>(covered) / trials;
}

double NoisyShare(v1::MeasureSpec::Tier tier, const Level& level, const Noise& noise, double scale,
                  int trials, std::uint64_t seed, const std::function<bool(const Trial&)>& counts) {
  Random random(seed);
  int counted = 0;
  int noisy = 0;
  for (int i = 0; i < trials; ++i) {
    const Trial trial = RunTrial(tier, {level}, noise, scale, random);
    if (counts && !counts(trial)) continue;
    ++counted;
    noisy += trial.noisy();
  }
  BITPILOT_CHECK(counted > 0);
  return static_cast<double>(noisy) / counted;
}

Claims CountClaims(v1::MeasureSpec::Tier tier, double ratio, const Noise& noise, double scale,
                   int trials, std::uint64_t seed) {
  Random random(seed);
  Claims claims;
  for (int i = 0; i < trials; ++i) {
    const Trial trial = RunTrial(tier, {Constant(ratio), Constant(1.0)}, noise, scale, random);
    const RoundComparison comparison =
        CompareRounds(trial.series[0].wall_ns, trial.series[1].wall_ns);
    claims.faster += comparison.speed == Speed::kFaster;
    claims.slower += comparison.speed == Speed::kSlower;
    claims.no_difference += comparison.speed == Speed::kNoDifference;
    if (trial.noisy()) continue;
    ++claims.ok;
    claims.ok_within_1_percent += std::abs(comparison.ratio.median / ratio - 1.0) <= 0.01;
  }
  return claims;
}

}  // namespace bitpilot
