#include "agent/study/study_writer.h"

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <vector>

#include "agent/study/event_chain.h"
#include "agent/study/study_schema.h"
#include "agent/study/writer_lock.h"

namespace bitpilot {
namespace {

std::int64_t UtcNow() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Writes the hash of all runs into `head`; a part of the transaction that changed a run.
Status UpdateRunsHash(SqliteDatabase& database) {
  Result<std::vector<Run>> runs = ReadRuns(database);
  if (!runs.ok()) return runs.status();
  Result<SqliteStatement> update = database.Prepare("UPDATE head SET runs_sha256 = ?1");
  if (!update.ok()) return update.status();
  return update->Bind(1, RunsSha256(*runs)).Run();
}

// What the schema's checks demand of the energy columns, in words.
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

// Without energy all but the tier stay NULL.
void BindEnergy(const MeasurementRow& row, SqliteStatement& insert) {
  insert.Bind(16, ToString(row.energy ? TierOf(row.energy->sensor()) : EnergyTier::kNone));
  if (!row.energy) return;
  const EnergyFigure& gross = row.energy->gross();
  insert.Bind(17, row.energy->source()).Bind(18, gross.value_uj).Bind(19, gross.uncertainty_uj);
  if (const std::optional<EnergyFigure>& net = row.energy->net()) {
    insert.Bind(20, net->value_uj).Bind(21, net->uncertainty_uj);
  }
  insert.Bind(22, std::span(row.energy_window_uj));
}

}  // namespace

Result<std::int64_t> InsertRun(SqliteDatabase& database) {
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT INTO run(host, pid, boot_id, started_utc_ns) VALUES(?1, ?2, ?3, ?4) "
      "RETURNING run_id");
  if (!insert.ok()) return insert.status();
  insert->Bind(1, HostName()).Bind(2, std::int64_t{getpid()}).Bind(3, BootId()).Bind(4, UtcNow());
  Result<bool> row = insert->Step();
  if (!row.ok()) return row.status();
  const std::int64_t run_id = insert->Int(0);
  BITPILOT_RETURN_IF_ERROR(insert->Run());  // To its end, which makes the row permanent.
  BITPILOT_RETURN_IF_ERROR(UpdateRunsHash(database));
  return run_id;
}

Status EndRun(SqliteDatabase& database, std::int64_t run_id, const std::string& exit_reason) {
  Result<SqliteStatement> end =
      database.Prepare("UPDATE run SET ended_utc_ns = ?1, exit_reason = ?2 WHERE run_id = ?3");
  if (!end.ok()) return end.status();
  BITPILOT_RETURN_IF_ERROR(end->Bind(1, UtcNow()).Bind(2, exit_reason).Bind(3, run_id).Run());
  return UpdateRunsHash(database);
}

Result<LogHead> InsertEvent(SqliteDatabase& database, const LogHead& head, std::int64_t run_id,
                            std::string_view kind, const std::string& payload) {
  const ChainedEvent row{{head.seq + 1, std::string(kind), payload}, head.sha256, run_id, UtcNow()};
  const LogHead next{row.event.seq, EventSha256(row)};
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT INTO event(seq, kind, payload, prev_sha256, sha256, run_id, utc_ns) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  if (!insert.ok()) return insert.status();
  insert->Bind(1, row.event.seq).Bind(2, row.event.kind).Bind(3, payload).Bind(4, row.prev_sha256);
  insert->Bind(5, next.sha256).Bind(6, run_id).Bind(7, row.utc_ns);
  BITPILOT_RETURN_IF_ERROR(insert->Run());

  Result<SqliteStatement> update = database.Prepare("UPDATE head SET seq = ?1, sha256 = ?2");
  if (!update.ok()) return update.status();
  BITPILOT_RETURN_IF_ERROR(update->Bind(1, next.seq).Bind(2, next.sha256).Run());
  return next;
}

// repeat them.
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

Status InsertMeasurement(SqliteDatabase& database, const MeasurementRow& row, std::int64_t seq) {
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT INTO measurement(measurement_id, seq, candidate_id, assignment, board, tier, status, "
      "detail, source, latency_median_ns, latency_low_ns, latency_high_ns, window_ns, "
      "window_cpu_ns, conditions, energy_tier, energy_source, energy_gross_uj, "
      "energy_gross_uncertainty_uj, energy_net_uj, energy_net_uncertainty_uj, energy_window_uj) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, "
      "?19, "
      "?20, ?21, ?22)");
  if (!insert.ok()) return insert.status();
  insert->Bind(1, row.measurement_id).Bind(2, seq).Bind(3, row.candidate_id);
  insert->Bind(4, row.assignment).Bind(5, row.board).Bind(6, row.tier).Bind(7, row.status);
  insert->Bind(8, row.detail).Bind(9, row.source).Bind(10, row.latency_median_ns);
  insert->Bind(11, row.latency_low_ns).Bind(12, row.latency_high_ns);
  insert->Bind(13, std::span(row.window_ns)).Bind(14, std::span(row.window_cpu_ns));
  insert->Bind(15, row.conditions);
  BindEnergy(row, *insert);
  return insert->Run();
}

Status InsertArtifact(SqliteDatabase& database, const ArtifactRow& row) {
  Result<SqliteStatement> insert =
      database.Prepare("INSERT INTO artifact(sha256, seq, kind, file) VALUES(?1, ?2, ?3, ?4)");
  if (!insert.ok()) return insert.status();
  return insert->Bind(1, row.sha256).Bind(2, row.seq).Bind(3, row.kind).Bind(4, row.file).Run();
}

Status WriteFirstState(const std::string& path, const std::string& config_json) {
  Result<std::unique_ptr<SqliteDatabase>> opened = SqliteDatabase::Open(path, SqliteMode::kCreate);
  if (!opened.ok()) return opened.status();
  SqliteDatabase& database = **opened;
  BITPILOT_RETURN_IF_ERROR(MigrateSchema(database));
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database, "IMMEDIATE");
  if (!transaction.ok()) return transaction.status();
  Result<SqliteStatement> study = database.Prepare("INSERT INTO study VALUES(1, ?1)");
  if (!study.ok()) return study.status();
  BITPILOT_RETURN_IF_ERROR(study->Bind(1, config_json).Run());
  BITPILOT_RETURN_IF_ERROR(database.Execute("INSERT INTO head VALUES(1, 0, '', '')"));
  Result<std::int64_t> run_id = InsertRun(database);
  if (!run_id.ok()) return run_id.status();
  Result<LogHead> head =
      InsertEvent(database, {0, std::string(kNoPreviousSha256)}, *run_id, kConfigKind, config_json);
  if (!head.ok()) return head.status();
  return transaction->Commit();
}

}  // namespace bitpilot
