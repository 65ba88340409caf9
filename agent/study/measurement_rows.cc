#include "agent/study/measurement_rows.h"

#include <utility>

#include "agent/study/events.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {

std::string_view ToString(Tier tier) {
  switch (tier) {
    case Tier::kScreen:
      return "SCREEN";
    case Tier::kStandard:
      return "STANDARD";
    case Tier::kAudit:
      return "AUDIT";
  }
  return "UNKNOWN";
}

std::vector<MeasurementRow> ToRows(const Measurement& measurement, Tier tier,
                                   const BoardInfo& board,
                                   const std::vector<MeasuredCandidate>& candidates) {
  std::vector<MeasurementRow> rows;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    MeasurementRow row;
    row.measurement_id = candidates[i].measurement_id;
    row.candidate_id = AssignmentId(candidates[i].assignment);
    row.assignment = CanonicalText(candidates[i].assignment);
    row.board = ToJson(board);
    row.tier = ToString(tier);
    row.status = ToString(measurement.status);
    row.detail = measurement.detail;
    row.source = measurement.source;
    MeasurementConditions conditions;
    conditions.duration_ms = measurement.duration_ms;
    conditions.involuntary_context_switches = measurement.involuntary_context_switches;
    conditions.load_average = measurement.load_average;
    conditions.board = measurement.conditions;
    conditions.fingerprint = FingerprintOf(board, measurement.conditions);
    if (HasNumbers(measurement.status)) {
      const NetworkMeasurement& network = measurement.networks[i];
      row.latency_median_ns = network.latency_median_ns;
      row.latency_low_ns = network.latency_low_ns;
      row.latency_high_ns = network.latency_high_ns;
      row.window_ns = network.window_ns;
      row.window_cpu_ns = network.window_cpu_ns;
      conditions.confidence = network.confidence;
      conditions.inferences_per_window = network.inferences_per_window;
      conditions.drift = network.drift;
      conditions.kernels = network.kernels;
      conditions.operation_ns = network.operation_ns;
      conditions.model_energy = network.model_energy;
      conditions.model_energy_unit = network.model_energy_unit;
      conditions.model_energy_error = network.model_energy_error;
      conditions.no_energy_reason = network.no_energy_reason;
      if (network.energy) {
        row.energy = network.energy->energy;
        row.energy_window_uj = network.energy->window_uj;
        conditions.energy = network.energy->conditions;
      }
    }
    row.conditions = ToJson(conditions);
    rows.push_back(std::move(row));
  }
  return rows;
}

Status CheckFigures(const MeasurementRow& row) {
  if (!row.latency_median_ns || row.source != "measured") return Status();
  if (row.window_ns.empty()) return DataCorrupt("has a latency and no windows");
  const MedianInterval windows = SignTestInterval(row.window_ns);
  for (const auto& [stored, recomputed] : {std::pair(*row.latency_median_ns, windows.median),
                                           std::pair(*row.latency_low_ns, windows.low),
                                           std::pair(*row.latency_high_ns, windows.high)}) {
    if (stored == recomputed) continue;
    return DataCorrupt("stored are " + std::to_string(stored) + " ns, its windows give " +
                       std::to_string(recomputed) + " ns");
  }
  return Status();
}

bool IsOfAnotherBoard(const MeasurementRow& row, const BoardInfo& board) {
  const Result<BoardInfo> measured = ParseEvent<BoardInfo>(row.board);
  return measured.ok() && (measured->isa != board.isa || measured->backend != board.backend);
}

}  // namespace bitpilot
