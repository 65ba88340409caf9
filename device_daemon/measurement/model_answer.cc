#include "device_daemon/measurement/model_answer.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "kernels/base/cost_table.h"

namespace bitpilot {
namespace {

// A board of minutes an inference shows progress meanwhile.
constexpr double kSignOfLifeNs = 200e6;

// How many inferences of so many ns fill a window, which holds no more than an integer counts.
int InferencesPerWindow(double latency_ns, const SamplerPlan& plan) {
  constexpr double kMost = 1e9;
  return static_cast<int>(
      std::clamp(std::ceil(static_cast<double>(plan.window_ns) / latency_ns), 1.0, kMost));
}

void AddPredictedOperations(const std::vector<Cost>& costs, v1::NetworkMeasurement& out) {
  for (std::size_t i = 0; i < costs.size(); ++i) {
    v1::OperationTime& time = *out.add_operations();
    time.set_operation(static_cast<std::uint32_t>(i));
    time.set_latency_median_ns(costs[i].latency_ns);
  }
}

void AddPrediction(const Cost& cost, const CostTable& table, const SamplerPlan& plan,
                   v1::NetworkMeasurement& out) {
  for (int window = 0; window < plan.checkpoints.front(); ++window) {
    out.add_window_ns(cost.latency_ns);
    out.add_window_cpu_ns(cost.latency_ns);
  }
  out.set_latency_median_ns(cost.latency_ns);
  out.set_latency_low_ns(cost.latency_ns);
  out.set_latency_high_ns(cost.latency_ns);
  out.set_confidence(1.0);
  out.set_inferences_per_window(
      static_cast<std::uint32_t>(InferencesPerWindow(cost.latency_ns, plan)));
  if (cost.energy) {
    out.set_model_energy(*cost.energy);
    out.set_model_energy_unit(table.energy_unit);
    if (table.energy_fit_error) out.set_model_energy_error(*table.energy_fit_error);
  }
}

void SpendClaimedTime(const v1::MeasureResult& result, const MeasurementSetup& setup,
                      const ProgressFunction& progress) {
  if (!setup.spend_ns || result.networks().empty()) return;
  double round_ns = 0.0;
  for (const v1::NetworkMeasurement& network : result.networks())
    round_ns += network.latency_median_ns() * network.inferences_per_window();
  const int rounds = result.networks(0).window_ns_size();
  for (int round = 1; round <= rounds; ++round) {
    for (double left_ns = round_ns; left_ns > 0.0; left_ns -= kSignOfLifeNs) {
      progress({.phase = "model",
                .windows_done = round - 1,
                .remaining_ns = std::llround((rounds - round) * round_ns + left_ns)});
      setup.spend_ns(std::llround(std::min(left_ns, kSignOfLifeNs)));
    }
  }
}

}  // namespace

MeasureVerdict PredictSubjects(const v1::MeasureRequest& request,
                               const std::vector<MeasureSubject>& subjects,
                               const MeasurementSetup& setup, const ProgressFunction& progress,
                               v1::MeasureResult& result) {
  const CostTable& table = *setup.cost_table;
  const SamplerPlan plan = PlanFor(request.spec());
  for (const MeasureSubject& subject : subjects) {
    const Topology& topology = subject.network.topology;
    const BitAssignment assignment = AssignmentOf(subject.network);
    const Result<Cost> cost = PredictCost(table, topology, assignment);
    if (!cost.ok()) {
      return {v1::UNSUPPORTED, "cost table " + table.name + ": " + cost.status().message()};
    }
    if (!(cost->latency_ns > 0.0)) {
      return {v1::UNSUPPORTED, "cost table " + table.name + " gives no positive latency"};
    }
    v1::NetworkMeasurement& out = *result.add_networks();
    AddPrediction(*cost, table, plan, out);
    if (request.spec().per_operation()) {
      AddPredictedOperations(*PredictOperationCosts(table, topology, assignment), out);
    }
  }
  SpendClaimedTime(result, setup, progress);
  return {};
}

}  // namespace bitpilot
