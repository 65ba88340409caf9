#include "agent/study/sqlite/table_writer.h"

#include <unistd.h>

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/study/event_chain.h"
#include "agent/study/events.h"
#include "agent/study/measurement_blob.h"
#include "agent/study/sqlite/study_schema.h"
#include "agent/study/sqlite/table_reader.h"
#include "agent/study/sqlite/writer_lock.h"
#include "kernels/base/host_name.h"

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

Status InsertArtifact(SqliteDatabase& database, const ArtifactEvent& artifact, std::int64_t seq) {
  Result<SqliteStatement> insert =
      database.Prepare("INSERT INTO artifact(sha256, seq, kind, file) VALUES(?1, ?2, ?3, ?4)");
  if (!insert.ok()) return insert.status();
  insert->Bind(1, artifact.sha256).Bind(2, seq).Bind(3, artifact.kind).Bind(4, artifact.file);
  return insert->Run();
}

// A measurement's blob becomes columns, and the columns must give the same blob.
Status InsertMeasurementOf(SqliteDatabase& database, const StoredEvent& event) {
  const std::int64_t seq = event.chained.event.seq;
  if (event.blobs.size() != 1) {
    return InvalidArgument("an event of kind " + event.chained.event.kind +
                           " needs one blob, its measurement; got " +
                           std::to_string(event.blobs.size()));
  }
  const Result<MeasurementRow> row = ParseMeasurementBlob(event.blobs.front());
  if (!row.ok()) return InvalidArgument(row.status().message());
  BITPILOT_RETURN_IF_ERROR(InsertMeasurement(database, *row, seq));
  const Result<std::optional<MeasurementRow>> stored = ReadMeasurement(database, seq);
  if (!stored.ok()) return stored.status();
  if (*stored && MeasurementBlob(**stored) == event.blobs.front()) return Status();
  return InvalidArgument("measurement " + row->measurement_id +
                         ": holds a number that SQLite does not keep to the bit");
}

// The rows that other programs query beside the log.
Status InsertDerivedRows(SqliteDatabase& database, const StoredEvent& event) {
  const std::string& kind = event.chained.event.kind;
  if (kind == MeasurementEvent::kKind) return InsertMeasurementOf(database, event);
  if (!event.blobs.empty()) {
    return InvalidArgument("an event of kind " + kind +
                           " has a blob; this store keeps those of measurements only");
  }
  if (kind != ArtifactEvent::kKind) return Status();
  const Result<ArtifactEvent> artifact = ParseEvent<ArtifactEvent>(event.chained.event.payload);
  if (!artifact.ok()) return InvalidArgument(artifact.status().message());
  if (ToJson(*artifact) != event.chained.event.payload) {
    return InvalidArgument("an event of kind " + kind + " needs the payload " + ToJson(*artifact) +
                           ", got " + event.chained.event.payload);
  }
  return InsertArtifact(database, *artifact, event.chained.event.seq);
}

Status InsertEventRow(SqliteDatabase& database, const StoredEvent& row) {
  Result<SqliteStatement> insert = database.Prepare(
      "INSERT INTO event(seq, kind, payload, prev_sha256, sha256, run_id, utc_ns) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)");
  if (!insert.ok()) return insert.status();
  const Event& event = row.chained.event;
  insert->Bind(1, event.seq).Bind(2, event.kind).Bind(3, event.payload);
  insert->Bind(4, row.chained.prev_sha256).Bind(5, row.sha256).Bind(6, row.chained.run_id);
  return insert->Bind(7, row.chained.utc_ns).Run();
}

// Moves the recorded end from `from`, where this writer left it, to `to`.
Status MoveHead(SqliteDatabase& database, const LogHead& from, const LogHead& to) {
  Result<SqliteStatement> update = database.Prepare(
      "UPDATE head SET seq = ?1, sha256 = ?2 WHERE seq = ?3 AND sha256 = ?4 RETURNING seq");
  if (!update.ok()) return update.status();
  update->Bind(1, to.seq).Bind(2, to.sha256).Bind(3, from.seq).Bind(4, from.sha256);
  const Result<bool> moved = update->Step();
  if (!moved.ok()) return moved.status();
  if (*moved) return update->Run();  // To its end, which makes the change permanent.
  return AppendedByAnother(database.path(), from);
}

}  // namespace

Status AppendedByAnother(const std::string& path, const LogHead& last) {
  return Status(StatusCode::kAborted, path + ": another process has appended to it after event " +
                                          std::to_string(last.seq) +
                                          ", the last of this one, which stops");
}

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
                            const NewEvent& event) {
  const StoredEvent next = ChainNext(head, run_id, UtcNow(), event);
  LogHead end{next.chained.event.seq, next.sha256};
  BITPILOT_RETURN_IF_ERROR(MoveHead(database, head, end));
  BITPILOT_RETURN_IF_ERROR(InsertDerivedRows(database, next));
  BITPILOT_RETURN_IF_ERROR(InsertEventRow(database, next));
  return end;
}

Status WriteFirstState(const std::string& path, const NewEvent& first) {
  Result<std::unique_ptr<SqliteDatabase>> opened = SqliteDatabase::Open(path, SqliteMode::kCreate);
  if (!opened.ok()) return opened.status();
  SqliteDatabase& database = **opened;
  BITPILOT_RETURN_IF_ERROR(MigrateSchema(database));
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database, "IMMEDIATE");
  if (!transaction.ok()) return transaction.status();
  Result<SqliteStatement> study = database.Prepare("INSERT INTO study VALUES(1, ?1)");
  if (!study.ok()) return study.status();
  BITPILOT_RETURN_IF_ERROR(study->Bind(1, first.payload).Run());
  BITPILOT_RETURN_IF_ERROR(database.Execute("INSERT INTO head VALUES(1, 0, '', '')"));
  Result<std::int64_t> run_id = InsertRun(database);
  if (!run_id.ok()) return run_id.status();
  const Result<LogHead> head = InsertEvent(database, LogHead(), *run_id, first);
  if (!head.ok()) return head.status();
  return transaction->Commit();
}

}  // namespace bitpilot
