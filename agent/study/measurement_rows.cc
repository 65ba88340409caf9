#include "agent/study/measurement_rows.h"

#include <algorithm>
#include <utility>

#include "agent/study/event_chain.h"
#include "agent/study/events.h"
#include "kernels/base/sha256.h"
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
                                   const std::vector<MeasuredCandidate>& candidates,
                                   const MeasuredOn& measured_on) {
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
    conditions.on = measured_on.on;
    conditions.board_name = measured_on.board_name;
    conditions.measure_id = BytesToHex(measurement.measure_id);
    conditions.attempt = measurement.attempt;
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

MeasurementEvent MeasurementEventOf(const MeasurementRow& row) {
  constexpr double kMillisecondsPerSecond = 1e3;
  MeasurementEvent event{row.measurement_id, MeasurementSha256(row), row.candidate_id, row.tier,
                         row.status};
  if (const auto conditions = ParseEvent<MeasurementConditions>(row.conditions); conditions.ok()) {
    event.on = conditions->on;
    event.board = conditions->board_name;
    event.board_seconds = conditions->duration_ms / kMillisecondsPerSecond;
    event.measure_id = conditions->measure_id;
  }
  return event;
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

bool IsOfAnotherBoard(const MeasurementRow& row, const std::vector<BoardInfo>& boards) {
  const Result<BoardInfo> measured = ParseEvent<BoardInfo>(row.board);
  return measured.ok() && !boards.empty() &&
         std::none_of(boards.begin(), boards.end(), [&](const BoardInfo& board) {
           return measured->isa == board.isa && measured->backend == board.backend;
         });
}

}  // namespace bitpilot
