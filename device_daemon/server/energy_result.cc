#include "device_daemon/server/energy_result.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>

#include "device_daemon/energy/energy_estimate.h"
#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

static_assert(static_cast<int>(EnergyTier::kMeterExternal) == v1::METER_EXTERNAL);
static_assert(static_cast<int>(EnergyTier::kSensorOnboard) == v1::SENSOR_ONBOARD);

std::string Percent(double fraction) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f %%", fraction * 100.0);
  return text;
}

Status CheckStretch(const v1::EnergyStretch& stretch, bool busy) {
  if (stretch.begin_ns() < stretch.end_ns() && busy == (stretch.inferences() > 0)) return {};
  return DataCorrupt("the worker's windows contradict themselves");
}

// Rounds of the phase.
Result<int> CheckRun(const v1::EnergyRunResult& run, int num_networks) {
  if (run.busy_size() == 0 || run.busy_size() % num_networks != 0) {
    return DataCorrupt("the worker noted " + std::to_string(run.busy_size()) + " windows of " +
                       std::to_string(num_networks) + " networks");
  }
  BITPILOT_RETURN_IF_ERROR(CheckStretch(run.idle_before(), false));
  BITPILOT_RETURN_IF_ERROR(CheckStretch(run.idle_after(), false));
  for (const v1::EnergyStretch& stretch : run.busy()) {
    BITPILOT_RETURN_IF_ERROR(CheckStretch(stretch, true));
  }
  return run.busy_size() / num_networks;
}

// The windows of network `index`, with the idle ones that all share.
Result<EnergyWindows> IntegrateNetwork(const v1::EnergyRunResult& run, const EnergyTrace& trace,
                                       int index, int num_networks) {
  const Result<WindowEnergy> before =
      IntegrateWindow(trace, run.idle_before().begin_ns(), run.idle_before().end_ns());
  if (!before.ok()) return before.status();
  const Result<WindowEnergy> after =
      IntegrateWindow(trace, run.idle_after().begin_ns(), run.idle_after().end_ns());
  if (!after.ok()) return after.status();
  EnergyWindows windows{.source = trace.source,
                        .busy = {},
                        .inferences = {},
                        .idle_before = *before,
                        .idle_after = *after};
  for (int i = index; i < run.busy_size(); i += num_networks) {
    const v1::EnergyStretch& stretch = run.busy(i);
    const Result<WindowEnergy> window =
        IntegrateWindow(trace, stretch.begin_ns(), stretch.end_ns());
    if (!window.ok()) return window.status();
    windows.busy.push_back(*window);
    windows.inferences.push_back(static_cast<std::int64_t>(stretch.inferences()));
  }
  return windows;
}

// Empty if the network ran as fast as in the latency phase.
std::string SpeedDifference(double energy_phase_ns, const v1::NetworkMeasurement& latency,
                            double tolerance) {
  const double low_ns = latency.latency_low_ns() * (1.0 - tolerance);
  const double high_ns = latency.latency_high_ns() * (1.0 + tolerance);
  if (energy_phase_ns >= low_ns && energy_phase_ns <= high_ns) return {};
  const double change = energy_phase_ns / latency.latency_median_ns() - 1.0;
  return "an inference took " + Percent(std::abs(change)) + (change > 0.0 ? " longer" : " less") +
         " in the energy phase than in the latency phase; outside the latency's interval, " +
         Percent(tolerance) + " are allowed";
}

v1::EnergyMeasurement ToEnergyMessage(const EnergyEstimate& estimate, const EnergyWindows& windows,
                                      std::size_t num_samples) {
  v1::EnergyMeasurement energy;
  energy.set_tier(static_cast<v1::EnergyTier>(estimate.energy.sensor()));
  energy.set_source(ToUtf8(estimate.energy.source()));
  energy.set_scope(ToUtf8(windows.source.scope));
  energy.set_gross_uj(estimate.energy.gross().value_uj);
  energy.set_gross_uncertainty_uj(estimate.energy.gross().uncertainty_uj);
  if (const std::optional<EnergyFigure>& net = estimate.energy.net()) {
    energy.set_net_uj(net->value_uj);
    energy.set_net_uncertainty_uj(net->uncertainty_uj);
  } else {
    energy.set_no_net_reason("idle power changed from " +
                             std::to_string(windows.idle_before.power_w()) + " to " +
                             std::to_string(windows.idle_after.power_w()) + " W");
  }
  energy.set_idle_power_w(estimate.idle_power_w);
  energy.set_latency_ns(estimate.latency_ns);
  double shortest_s = windows.busy.front().seconds;
  std::uint64_t inferences = 0;
  for (std::size_t i = 0; i < windows.busy.size(); ++i) {
    const auto count = static_cast<double>(windows.inferences[i]);
    energy.add_window_uj(windows.busy[i].energy_j / count * 1e6);
    shortest_s = std::min(shortest_s, windows.busy[i].seconds);
    inferences += static_cast<std::uint64_t>(windows.inferences[i]);
  }
  energy.set_window_s(shortest_s);
  energy.set_inferences(inferences);
  energy.set_samples(num_samples);
  return energy;
}

Result<v1::EnergyMeasurement> EnergyOf(const v1::EnergyRunResult& run, const EnergyTrace& trace,
                                       int index, double tolerance,
                                       const v1::MeasureResult& result) {
  const Result<EnergyWindows> windows = IntegrateNetwork(run, trace, index, result.networks_size());
  if (!windows.ok()) return windows.status();
  const Result<EnergyEstimate> estimate = EstimateEnergy(*windows);
  if (!estimate.ok()) return estimate.status();
  const std::string difference =
      SpeedDifference(estimate->latency_ns, result.networks(index), tolerance);
  if (!difference.empty()) return Status(StatusCode::kUnavailable, difference);
  return ToEnergyMessage(*estimate, *windows, trace.samples.size());
}

}  // namespace

void RefuseEnergy(const std::string& reason, v1::MeasureResult& result) {
  for (v1::NetworkMeasurement& network : *result.mutable_networks()) {
    network.clear_energy();
    network.set_no_energy_reason(ToUtf8(reason));
  }
}

void DropEnergyThatDoesNotFit(Message& reply) {
  if (!reply.envelope.has_measure_result() || FitsFrames(reply)) return;
  v1::MeasureResult& result = *reply.envelope.mutable_measure_result();
  const auto& networks = result.networks();
  if (std::none_of(networks.begin(), networks.end(),
                   [](const v1::NetworkMeasurement& network) { return network.has_energy(); })) {
    return;
  }
  RefuseEnergy("with energies the result is too large for a message", result);
}

void AttachEnergy(const v1::EnergyRunResult& run, const Result<EnergyTrace>& trace,
                  double tolerance, v1::MeasureResult& result) {
  if (!trace.ok()) return RefuseEnergy(trace.status().message(), result);
  const Result<int> rounds = CheckRun(run, result.networks_size());
  if (!rounds.ok()) return RefuseEnergy(rounds.status().message(), result);
  for (int i = 0; i < result.networks_size(); ++i) {
    Result<v1::EnergyMeasurement> energy = EnergyOf(run, *trace, i, tolerance, result);
    v1::NetworkMeasurement& network = *result.mutable_networks(i);
    if (energy.ok()) {
      *network.mutable_energy() = std::move(*energy);
    } else {
      network.set_no_energy_reason(ToUtf8(energy.status().message()));
    }
  }
}

}  // namespace bitpilot
