#include "agent/study/sqlite/table_reader.h"

#include <filesystem>
#include <fstream>
#include <optional>
#include <utility>

#include "agent/study/events.h"
#include "agent/study/measurement_blob.h"
#include "agent/study/sqlite/study_schema.h"

namespace bitpilot {
namespace {

// True if the file's header asks readers for a write-ahead log (SQLite file format, offset 19).
bool NeedsWriteAheadLog(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  file.seekg(19);
  return file.get() == 2;
}

// Opened plainly, a file that needs a write-ahead log and has none would get one, and its shared
// memory, beside it: a copy of a study that was killed. Nobody writes such a file, so it can be
// read as it is. The header must not be looked at while a writer of this process is open (closing
// any descriptor of a file frees the process's POSIX locks on it), and is not: then the log exists.
SqliteMode ReaderMode(const std::string& path) {
  return LacksWriteAheadLog(path) ? SqliteMode::kImmutable : SqliteMode::kReadOnly;
}

// Calls `read` for every row of `statement`.
template <typename Read>
Status ForEachRow(SqliteStatement& statement, Read read) {
  while (true) {
    Result<bool> row = statement.Step();
    if (!row.ok()) return row.status();
    if (!*row) return Status();
    BITPILOT_RETURN_IF_ERROR(read(statement));
  }
}

constexpr char kEnergyColumns[] =
    "energy_tier, energy_source, energy_gross_uj, energy_gross_uncertainty_uj, energy_net_uj, "
    "energy_net_uncertainty_uj, energy_window_uj";
constexpr char kNoEnergyColumns[] = "'NONE', NULL, NULL, NULL, NULL, NULL, NULL";
constexpr std::int64_t kFirstVersionWithEnergy = 2;

Status ReadEnergy(const SqliteStatement& row, int column, const std::string& path,
                  MeasurementRow& measurement) {
  const std::string tier = row.Text(column);
  if (tier == ToString(EnergyTier::kNone)) return Status();
  const auto corrupt = [&](const std::string& what) {
    return DataCorrupt(path + ": the energy of measurement " + measurement.measurement_id + ": " +
                       what);
  };
  const Result<EnergySensor> sensor = ParseEnergySensor(tier);
  if (!sensor.ok()) return corrupt(sensor.status().message());
  std::optional<EnergyFigure> net;
  if (const std::optional<double> net_uj = row.Double(column + 4)) {
    net = EnergyFigure{*net_uj, row.Double(column + 5).value_or(-1.0)};
  }
  Result<MeasuredEnergy> energy = MeasuredEnergy::Create(
      *sensor, row.Text(column + 1),
      {row.Double(column + 2).value_or(-1.0), row.Double(column + 3).value_or(-1.0)}, net);
  if (!energy.ok()) return corrupt(energy.status().message());
  std::optional<std::vector<double>> windows = row.Doubles(column + 6);
  if (!windows) return corrupt("its windows are not whole doubles");
  measurement.energy = std::move(*energy);
  measurement.energy_window_uj = std::move(*windows);
  return Status();
}

Status ReadColumns(const SqliteStatement& row, const std::string& path, MeasurementRow& m) {
  int column = 0;
  for (std::string* text : {&m.measurement_id, &m.candidate_id, &m.assignment, &m.board, &m.tier,
                            &m.status, &m.detail, &m.source, &m.conditions}) {
    *text = row.Text(column++);
  }
  for (std::optional<double>* value :
       {&m.latency_median_ns, &m.latency_low_ns, &m.latency_high_ns}) {
    *value = row.Double(column++);
  }
  for (std::vector<double>* values : {&m.window_ns, &m.window_cpu_ns}) {
    std::optional<std::vector<double>> doubles = row.Doubles(column++);
    if (!doubles) {
      return DataCorrupt(path + ": the windows of measurement " + m.measurement_id +
                         " are not whole doubles");
    }
    *values = std::move(*doubles);
  }
  return ReadEnergy(row, column, path, m);
}

// Table `measurement` from ?1 on, in the order of the log; the last column is seq.
Result<SqliteStatement> SelectMeasurements(const SqliteDatabase& database, std::int64_t first_seq) {
  const Result<std::int64_t> version = SchemaVersion(database);
  if (!version.ok()) return version.status();
  const std::string energy_columns =
      *version >= kFirstVersionWithEnergy ? kEnergyColumns : kNoEnergyColumns;
  Result<SqliteStatement> statement = database.Prepare(
      "SELECT measurement_id, candidate_id, assignment, board, tier, status, detail, source, "
      "conditions, latency_median_ns, latency_low_ns, latency_high_ns, window_ns, window_cpu_ns, " +
      energy_columns + ", seq FROM measurement WHERE seq >= ?1 ORDER BY seq");
  if (statement.ok()) statement->Bind(1, first_seq);
  return statement;
}
constexpr int kSeqColumn = 21;

// Goes through table `measurement` beside the log.
class MeasurementCursor {
 public:
  MeasurementCursor(SqliteStatement statement, std::string path)
      : statement_(std::move(statement)), path_(std::move(path)) {}

  // The row of event `seq`; nullopt if there is none. REQUIRES: rising seq.
  Result<std::optional<MeasurementRow>> Find(std::int64_t seq) {
    while (!ended_ && (!has_row_ || statement_.Int(kSeqColumn) < seq)) {
      const Result<bool> row = statement_.Step();
      if (!row.ok()) return row.status();
      has_row_ = *row;
      ended_ = !*row;
    }
    if (ended_ || statement_.Int(kSeqColumn) != seq) return std::optional<MeasurementRow>();
    MeasurementRow found;
    BITPILOT_RETURN_IF_ERROR(ReadColumns(statement_, path_, found));
    return std::optional(std::move(found));
  }

 private:
  SqliteStatement statement_;
  std::string path_;
  bool has_row_ = false;
  bool ended_ = false;
};

}  // namespace

bool LacksWriteAheadLog(const std::string& path) {
  std::error_code error;
  return !std::filesystem::exists(path + "-wal", error) && NeedsWriteAheadLog(path);
}

Result<std::unique_ptr<SqliteDatabase>> OpenStudyDatabase(const std::string& path,
                                                          const StudyWait& wait) {
  std::error_code error;
  const auto type = std::filesystem::status(path, error).type();
  if (type == std::filesystem::file_type::not_found) {
    return Status(StatusCode::kNotFound,
                  path + ": no such study; `bitpilot search --study FILE` writes one");
  }
  if (type != std::filesystem::file_type::regular) {
    return DataCorrupt(path + ": is not a regular file; expected a study");
  }
  Result<std::unique_ptr<SqliteDatabase>> database =
      SqliteDatabase::Open(path, ReaderMode(path), wait);
  if (!database.ok()) return database.status();
  BITPILOT_RETURN_IF_ERROR(CheckStudyFile(**database));
  return database;
}

Status ReadEvents(const SqliteDatabase& database, std::int64_t first_seq,
                  const ReadOptions& options, const std::function<Status(StoredEvent)>& visit) {
  Result<SqliteStatement> events = database.Prepare(
      "SELECT seq, kind, payload, prev_sha256, sha256, run_id, utc_ns FROM event WHERE seq >= ?1 "
      "ORDER BY seq LIMIT ?2");
  if (!events.ok()) return events.status();
  events->Bind(1, first_seq).Bind(2, options.max_events);
  std::optional<MeasurementCursor> measurements;
  if (options.with_blobs) {
    Result<SqliteStatement> rows = SelectMeasurements(database, first_seq);
    if (!rows.ok()) return rows.status();
    measurements.emplace(std::move(*rows), database.path());
  }
  return ForEachRow(*events, [&](const SqliteStatement& row) -> Status {
    StoredEvent event{{{row.Int(0), row.Text(1), row.Text(2)}, row.Text(3), row.Int(5), row.Int(6)},
                      row.Text(4),
                      {}};
    if (measurements && event.chained.event.kind == MeasurementEvent::kKind) {
      const Result<std::optional<MeasurementRow>> found =
          measurements->Find(event.chained.event.seq);
      if (!found.ok()) return found.status();
      if (*found) event.blobs.push_back(MeasurementBlob(**found));
    }
    return visit(std::move(event));
  });
}

Result<std::optional<MeasurementRow>> ReadMeasurement(const SqliteDatabase& database,
                                                      std::int64_t seq) {
  Result<SqliteStatement> rows = SelectMeasurements(database, seq);
  if (!rows.ok()) return rows.status();
  return MeasurementCursor(std::move(*rows), database.path()).Find(seq);
}

Result<std::vector<ArtifactRow>> ReadArtifacts(const SqliteDatabase& database) {
  Result<SqliteStatement> statement =
      database.Prepare("SELECT sha256, kind, file, seq FROM artifact ORDER BY seq");
  if (!statement.ok()) return statement.status();
  std::vector<ArtifactRow> rows;
  BITPILOT_RETURN_IF_ERROR(ForEachRow(*statement, [&](const SqliteStatement& row) {
    rows.push_back({row.Text(0), row.Text(1), row.Text(2), row.Int(3)});
    return Status();
  }));
  return rows;
}

Result<std::vector<Run>> ReadRuns(const SqliteDatabase& database) {
  Result<SqliteStatement> statement = database.Prepare(
      "SELECT run_id, host, pid, boot_id, started_utc_ns, ended_utc_ns, exit_reason FROM run "
      "ORDER BY run_id");
  if (!statement.ok()) return statement.status();
  std::vector<Run> rows;
  BITPILOT_RETURN_IF_ERROR(ForEachRow(*statement, [&](const SqliteStatement& row) {
    rows.push_back(
        {row.Int(0), row.Text(1), row.Int(2), row.Text(3), row.Int(4), row.Int(5), row.Text(6)});
    return Status();
  }));
  return rows;
}

Result<RecordedEnd> ReadEnd(const SqliteDatabase& database) {
  Result<SqliteStatement> statement = database.Prepare("SELECT seq, sha256, runs_sha256 FROM head");
  if (!statement.ok()) return statement.status();
  RecordedEnd end;
  BITPILOT_RETURN_IF_ERROR(ForEachRow(*statement, [&](const SqliteStatement& row) {
    end = {{row.Int(0), row.Text(1)}, row.Text(2)};
    return Status();
  }));
  return end;
}

}  // namespace bitpilot
