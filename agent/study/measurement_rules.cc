#include "agent/study/measurement_rules.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

namespace bitpilot {
namespace {

Status ValidateEnergy(const MeasurementRow& row) {
  const std::string name = "measurement " + row.measurement_id;
  if (!row.energy) {
    if (row.energy_window_uj.empty()) return Status();
    return InvalidArgument(name + ": windows of an energy that is not there");
  }
  if (!row.latency_median_ns || row.source != "measured") {
    return InvalidArgument(name + ": an energy belongs to a latency that was measured, got " +
                           row.status + " from " + row.source);
  }
  for (const double window_uj : row.energy_window_uj) {
    if (!std::isfinite(window_uj)) return InvalidArgument(name + ": an energy is not finite");
  }
  return Status();
}

}  // namespace

Status ValidateMeasurement(const MeasurementRow& row) {
  const std::string name = "measurement " + row.measurement_id;
  if (row.measurement_id.empty()) return InvalidArgument("a measurement needs an id");
  for (const std::string* json : {&row.assignment, &row.board, &row.conditions}) {
    if (!nlohmann::json::accept(*json)) {
      return InvalidArgument(name + ": expected JSON, got \"" + *json + "\"");
    }
  }
  const bool has_numbers = row.status == "OK" || row.status == "NOISY";
  for (const auto* latency : {&row.latency_median_ns, &row.latency_low_ns, &row.latency_high_ns}) {
    if (latency->has_value() != has_numbers) {
      return InvalidArgument(name + ": status " + row.status +
                             (has_numbers ? " needs" : " must not have") + " latencies");
    }
  }
  if (!has_numbers && !(row.window_ns.empty() && row.window_cpu_ns.empty())) {
    return InvalidArgument(name + ": status " + row.status + " must not have windows");
  }
  for (const auto* windows : {&row.window_ns, &row.window_cpu_ns}) {
    for (const double window : *windows) {
      if (!std::isfinite(window)) return InvalidArgument(name + ": a window is not finite");
    }
  }
  if (has_numbers &&
      !(*row.latency_median_ns > 0.0 && *row.latency_low_ns <= *row.latency_median_ns &&
        *row.latency_median_ns <= *row.latency_high_ns && std::isfinite(*row.latency_high_ns))) {
    return InvalidArgument(name + ": expected 0 < median and low <= median <= high, got " +
                           std::to_string(*row.latency_low_ns) + ", " +
                           std::to_string(*row.latency_median_ns) + ", " +
                           std::to_string(*row.latency_high_ns) + " ns");
  }
  return ValidateEnergy(row);
}

}  // namespace bitpilot
