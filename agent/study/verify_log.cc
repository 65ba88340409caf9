#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <utility>

#include "agent/study/events.h"
#include "agent/study/study.h"
#include "agent/study/study_reader.h"
#include "agent/study/study_schema.h"

namespace bitpilot {
namespace {

using Finding = std::optional<LogProblem>;

// Rows outside the log that still wait for their event, by its seq.
struct ChainedRows {
  std::map<std::int64_t, MeasurementRow> measurements;
  std::map<std::int64_t, ArtifactRow> artifacts;
};

Finding CheckMeasurement(const Event& event, ChainedRows& rows) {
  const auto node = rows.measurements.extract(event.seq);
  if (node.empty()) return LogProblem{event.seq, "its measurement is missing"};
  const MeasurementRow& row = node.mapped();
  Result<MeasurementEvent> chained = ParseEvent<MeasurementEvent>(event.payload);
  if (chained.ok() && chained->measurement_id == row.measurement_id &&
      chained->row_sha256 == MeasurementSha256(row)) {
    return std::nullopt;
  }
  return LogProblem{event.seq, "measurement " + row.measurement_id + " was altered"};
}

Finding CheckArtifact(const Event& event, ChainedRows& rows) {
  const auto node = rows.artifacts.extract(event.seq);
  if (node.empty()) return LogProblem{event.seq, "its artifact is missing"};
  const ArtifactRow& row = node.mapped();
  if (event.payload == ToJson(ArtifactEvent{row.sha256, row.kind, row.file})) return std::nullopt;
  return LogProblem{event.seq, "artifact " + row.file + " was altered"};
}

// Event by event, `previous` being the one before `row` (null for the first).
Finding CheckEvent(const EventRow& row, const EventRow* previous, ChainedRows& rows) {
  const Event& event = row.chained.event;
  const std::int64_t expected_seq = previous == nullptr ? 1 : previous->chained.event.seq + 1;
  if (event.seq != expected_seq) {
    return LogProblem{expected_seq, "is missing; the next event is " + std::to_string(event.seq)};
  }
  if (EventSha256(row.chained) != row.sha256) {
    return LogProblem{event.seq, "kind, payload, run, time or hash was altered"};
  }
  if (row.chained.prev_sha256 != (previous == nullptr ? kNoPreviousSha256 : previous->sha256)) {
    return LogProblem{event.seq, "does not follow the event before it"};
  }
  if (event.kind == MeasurementEvent::kKind) return CheckMeasurement(event, rows);
  if (event.kind == ArtifactEvent::kKind) return CheckArtifact(event, rows);
  return std::nullopt;
}

Finding CheckHead(const std::vector<EventRow>& events, const HeadRow& head) {
  const std::int64_t last = events.empty() ? 0 : events.back().chained.event.seq;
  const std::string recorded =
      "the recorded end of the log is event " + std::to_string(head.log.seq);
  if (last < head.log.seq) return LogProblem{last + 1, "is missing; " + recorded};
  if (last > head.log.seq) return LogProblem{head.log.seq + 1, "was added; " + recorded};
  if (events.empty()) return LogProblem{1, "is missing; the log is empty"};
  if (events.back().sha256 != head.log.sha256) {
    return LogProblem{last, "is not the one whose hash is the recorded end of the log"};
  }
  return std::nullopt;
}

Finding CheckChain(const std::vector<EventRow>& events, ChainedRows& rows) {
  const EventRow* previous = nullptr;
  for (const EventRow& row : events) {
    if (Finding problem = CheckEvent(row, previous, rows)) return problem;
    previous = &row;
  }
  return std::nullopt;
}

// After CheckChain(), which took away every row that has its event.
Finding CheckOutsideRows(const Event& first, const std::string& config, const ChainedRows& rest) {
  if (first.kind != "config" || first.payload != config) {
    return LogProblem{1, "table study holds another configuration"};
  }
  if (!rest.measurements.empty()) {
    const MeasurementRow& row = rest.measurements.begin()->second;
    return LogProblem{0, "measurement " + row.measurement_id + " is in no event"};
  }
  if (!rest.artifacts.empty()) {
    return LogProblem{0, "artifact " + rest.artifacts.begin()->second.file + " is in no event"};
  }
  return std::nullopt;
}

// Everything but the log, which is read event by event.
struct OtherTables {
  std::string config;
  ChainedRows rows;
  std::vector<Run> runs;
  HeadRow head;
};

Result<OtherTables> ReadOtherTables(const SqliteDatabase& database) {
  Result<std::string> config = database.QueryText("SELECT config FROM study");
  if (!config.ok()) return config.status();
  Result<std::vector<ChainedMeasurement>> measurements = ReadMeasurements(database);
  if (!measurements.ok()) return measurements.status();
  Result<std::vector<ArtifactRow>> artifacts = ReadArtifacts(database);
  if (!artifacts.ok()) return artifacts.status();
  Result<std::vector<Run>> runs = ReadRuns(database);
  if (!runs.ok()) return runs.status();
  Result<HeadRow> head = ReadHead(database);
  if (!head.ok()) return head.status();

  OtherTables tables{std::move(*config), {}, std::move(*runs), std::move(*head)};
  for (ChainedMeasurement& row : *measurements) {
    tables.rows.measurements[row.seq] = std::move(row.row);
  }
  for (ArtifactRow& row : *artifacts) tables.rows.artifacts[row.seq] = std::move(row);
  return tables;
}

Result<Finding> CheckTables(const SqliteDatabase& database) {
  Result<OtherTables> tables = ReadOtherTables(database);
  if (!tables.ok()) return tables.status();
  std::vector<EventRow> events;
  const Status read = ReadEvents(database, events);
  if (Finding problem = CheckChain(events, tables->rows)) return problem;
  if (!read.ok()) {
    const std::int64_t last = events.empty() ? 0 : events.back().chained.event.seq;
    return Finding({last + 1, "cannot be read: " + read.message()});
  }
  if (Finding problem = CheckHead(events, tables->head)) return problem;
  if (Finding problem =
          CheckOutsideRows(events.front().chained.event, tables->config, tables->rows)) {
    return problem;
  }
  if (RunsSha256(tables->runs) == tables->head.runs_sha256) return Finding();
  return Finding({0, "table run was altered"});
}

// Everything in one consistent state of the file, so that a running search does not disturb.
Result<Finding> CheckDatabase(SqliteDatabase& database) {
  Result<SqliteTransaction> snapshot = SqliteTransaction::Begin(database, "DEFERRED");
  if (!snapshot.ok()) return snapshot.status();
  Result<std::optional<std::string>> change = FindSchemaChange(database);
  if (!change.ok()) return change.status();

  Result<Finding> finding = CheckTables(database);
  if (finding.ok() && *finding) return finding;  // Names an event where it can.
  if (*change) return Finding({0, "the schema was changed: " + **change});
  if (!finding.ok()) return finding;
  Result<std::optional<std::string>> damage = FindDamage(database);
  if (!damage.ok()) return damage.status();
  if (*damage) return Finding({0, "the file is damaged: " + **damage});
  return Finding();
}

}  // namespace

Result<std::optional<LogProblem>> VerifyLog(const std::string& path, const StudyWait& wait) {
  Result<std::unique_ptr<SqliteDatabase>> database = OpenStudyDatabase(path, wait);
  if (!database.ok()) return database.status();
  Result<Finding> finding = CheckDatabase(**database);
  // A study that opens but cannot be read is damaged inside: where, SQLite cannot say.
  if (!finding.ok() && finding.status().code() == StatusCode::kDataCorrupt) {
    return Finding({0, finding.status().message()});
  }
  return finding;
}

}  // namespace bitpilot
