#include "experiments/energy_statistics/simulated_energy.h"

#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "device_daemon/energy/energy_estimate.h"
#include "kernels/base/check.h"
#include "kernels/base/energy.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr double kIdleW = 3.0;
constexpr std::int64_t kPeriodNs = 10'000'000;
constexpr std::int64_t kWindowNs = 200 * kPeriodNs;
constexpr double kWindowS = 2.0;
constexpr double kSwing = 0.3;

struct SimulatedNetwork {
  double power_w;
  double latency_s;

  double gross_uj() const { return power_w * latency_s * 1e6; }
  double net_uj() const { return (power_w - kIdleW) * latency_s * 1e6; }
  std::int64_t inferences() const { return std::llround(kWindowS / latency_s); }
};
constexpr SimulatedNetwork kCandidate{5.0, 1e-3};
constexpr SimulatedNetwork kReference{7.0, 2e-3};

EnergySourceInfo Meter(double accuracy) {
  return {.name = "meter:simulated",
          .scope = "a formula",
          .sensor = EnergySensor::kMeterExternal,
          .quantity = EnergyQuantity::kPowerW,
          .period_ns = kPeriodNs,
          .relative_accuracy = accuracy,
          .max_power_w = 100.0};
}

// One phase: the windows of both networks, parallel.
struct Phase {
  EnergyWindows candidate;
  EnergyWindows reference;
};

// Relative to the networks' own figures: the means of what the windows scatter around.
struct Truth {
  double busy = 1.0;
  double idle = 1.0;
};

std::vector<double> WindowsUj(const EnergyWindows& windows) {
  std::vector<double> energies_uj;
  for (std::size_t i = 0; i < windows.busy.size(); ++i) {
    energies_uj.push_back(windows.busy[i].energy_j / static_cast<double>(windows.inferences[i]) *
                          1e6);
  }
  return energies_uj;
}

bool Covers(const EnergyFigure& figure, double truth_uj) {
  return std::abs(figure.value_uj - truth_uj) <= figure.uncertainty_uj;
}

CoveredShares Cover(int trials, const Truth& truth, const std::function<Phase()>& run_phase) {
  int gross = 0, net = 0, with_net = 0, ratio = 0;
  std::vector<double> half_widths;
  const double true_gross_uj = kCandidate.gross_uj() * truth.busy;
  const double true_net_uj = true_gross_uj - kIdleW * truth.idle * kCandidate.latency_s * 1e6;
  const double true_ratio = kCandidate.gross_uj() / kReference.gross_uj();
  for (int i = 0; i < trials; ++i) {
    const Phase phase = run_phase();
    const Result<EnergyEstimate> candidate = EstimateEnergy(phase.candidate);
    const Result<EnergyEstimate> reference = EstimateEnergy(phase.reference);
    BITPILOT_CHECK(candidate.ok() && reference.ok());
    gross += Covers(candidate->energy.gross(), true_gross_uj);
    if (const auto& figure = candidate->energy.net()) {
      ++with_net;
      net += Covers(*figure, true_net_uj);
    }
    const std::optional<EnergyRatio> measured =
        GrossRatio(candidate->energy, WindowsUj(phase.candidate), reference->energy,
                   WindowsUj(phase.reference));
    BITPILOT_CHECK(measured.has_value());
    ratio += std::abs(measured->value - true_ratio) <= measured->uncertainty;
    half_widths.push_back(measured->uncertainty / measured->value);
  }
  return {static_cast<double>(gross) / trials, static_cast<double>(net) / std::max(1, with_net),
          static_cast<double>(ratio) / trials, Median(half_widths)};
}

// The meter's scale error: within `accuracy` in 95 % of trials.
double DrawGain(double accuracy, Random& random) {
  return 1.0 + accuracy / 1.96 * std::normal_distribution<double>()(random);
}

}  // namespace

CoveredShares CoverEnergy(int rounds, const Noise& noise, double noise_mean, double scale,
                          double slow_change, double accuracy, int trials, std::uint64_t seed) {
  Random random(seed);
  const auto run_phase = [&] {
    const double gain = DrawGain(accuracy, random);
    const auto window = [&](double power_w) {
      const double energy_j = power_w * kWindowS * gain * (1.0 + scale * noise.draw(random));
      return WindowEnergy{energy_j, energy_j * accuracy, kWindowS};
    };
    Phase phase;
    for (EnergyWindows* windows : {&phase.candidate, &phase.reference}) {
      windows->source = Meter(accuracy);
    }
    phase.candidate.idle_before = phase.reference.idle_before = window(kIdleW);
    phase.candidate.idle_after = phase.reference.idle_after = window(kIdleW);
    for (int round = 0; round < rounds; ++round) {
      const double change = 1.0 + slow_change * std::normal_distribution<double>()(random);
      phase.candidate.busy.push_back(window(kCandidate.power_w * change));
      phase.candidate.inferences.push_back(kCandidate.inferences());
      phase.reference.busy.push_back(window(kReference.power_w * change));
      phase.reference.inferences.push_back(kReference.inferences());
    }
    return phase;
  };
  return Cover(trials, {1.0 + scale * noise_mean, 1.0 + scale * noise_mean}, run_phase);
}

CoveredShares CoverSampledEnergy(int rounds, double accuracy, int trials, std::uint64_t seed) {
  Random random(seed);
  std::uniform_real_distribution<double> uniform;
  const auto run_phase = [&] {
    const double gain = DrawGain(accuracy, random);
    const double cycle_ns = static_cast<double>(kPeriodNs) * (3.0 + 47.0 * uniform(random));
    // A stretch of its own trace: the load before and after a window is that of the window.
    const auto window = [&](double power_w) {
      EnergyTrace trace{Meter(accuracy), {}, 0};
      const double phase = 2.0 * std::numbers::pi * uniform(random);
      for (int i = 0; i < 206; ++i) {
        const auto time_ns = static_cast<std::int64_t>(static_cast<double>(kPeriodNs) *
                                                       (i + 0.4 * (uniform(random) - 0.5)));
        const double angle =
            phase + 2.0 * std::numbers::pi * static_cast<double>(time_ns) / cycle_ns;
        trace.samples.push_back({time_ns, gain * power_w * (1.0 + kSwing * std::sin(angle))});
      }
      const auto begin_ns =
          static_cast<std::int64_t>(static_cast<double>(kPeriodNs) * (1.0 + uniform(random)));
      const Result<WindowEnergy> energy = IntegrateWindow(trace, begin_ns, begin_ns + kWindowNs);
      BITPILOT_CHECK(energy.ok());
      return *energy;
    };
    Phase phase;
    for (EnergyWindows* windows : {&phase.candidate, &phase.reference}) {
      windows->source = Meter(accuracy);
    }
    phase.candidate.idle_before = phase.reference.idle_before = window(kIdleW);
    phase.candidate.idle_after = phase.reference.idle_after = window(kIdleW);
    for (int round = 0; round < rounds; ++round) {
      phase.candidate.busy.push_back(window(kCandidate.power_w));
      phase.candidate.inferences.push_back(kCandidate.inferences());
      phase.reference.busy.push_back(window(kReference.power_w));
      phase.reference.inferences.push_back(kReference.inferences());
    }
    return phase;
  };
  return Cover(trials, {}, run_phase);
}

}  // namespace bitpilot
