#include "agent/study/study.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/study/event_chain.h"
#include "agent/study/events.h"
#include "agent/study/sqlite_database.h"
#include "agent/study/study_reader.h"
#include "agent/study/study_schema.h"
#include "agent/study/study_writer.h"
#include "agent/study/writer_lock.h"
#include "kernels/base/atomic_file.h"

namespace bitpilot {
namespace {

class SqliteStudy final : public Study {
 public:
  // A reader has no lock and run 0.
  SqliteStudy(std::unique_ptr<SqliteDatabase> database, std::optional<WriterLock> lock,
              std::int64_t run_id, LogHead head)
      : lock_(std::move(lock)),
        database_(std::move(database)),
        run_id_(run_id),
        head_(std::move(head)) {}

  // As after Close(), the file is complete without a write-ahead log: one that stayed in that mode
  // would look like a copy without its end.
  ~SqliteStudy() override {
    if (!lock_) return;
    database_->SetWait({});
    static_cast<void>(SqliteStudy::Close("failed"));
  }

  const std::string& path() const override { return database_->path(); }

  std::string config_json() const override {
    Result<std::string> config = database_->QueryText("SELECT config FROM study");
    return config.ok() ? *config : std::string();
  }

  Result<std::string> Id() const override {
    return database_->QueryText("SELECT sha256 FROM event WHERE seq = 1");
  }

  Status Append(const std::string& kind, const std::string& payload_json) override;
  Status AppendMeasurements(std::span<const MeasurementRow> rows) override;
  Result<std::vector<Event>> Events() const override;
  Result<std::optional<MeasurementRow>> FindMeasurement(
      const std::string& measurement_id) const override;
  Result<std::vector<MeasurementRow>> Measurements() const override;
  Status PutArtifact(const std::string& sha256, const std::string& kind,
                     const std::string& file) override;
  Result<LogHead> Head() const override;
  Result<std::vector<Run>> Runs() const override { return ReadRuns(*database_); }
  Result<std::string> ContentHash() const override;
  Status Close(const std::string& exit_reason) override;

 private:
  Status CheckWritable() const {
    if (lock_) return Status();
    return InvalidArgument(path() + ": is open for reading only, or closed");
  }

  // One transaction: insert_row(seq), then the event that chains the row.
  template <typename InsertRow>
  Status AppendWithRow(std::string_view kind, const std::string& payload, InsertRow insert_row);

  std::optional<WriterLock> lock_;  // freed after the database is closed
  std::unique_ptr<SqliteDatabase> database_;
  std::int64_t run_id_;
  LogHead head_;
};

template <typename InsertRow>
Status SqliteStudy::AppendWithRow(std::string_view kind, const std::string& payload,
                                  InsertRow insert_row) {
  BITPILOT_RETURN_IF_ERROR(CheckWritable());
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_, "IMMEDIATE");
  if (!transaction.ok()) return transaction.status();
  BITPILOT_RETURN_IF_ERROR(insert_row(head_.seq + 1));
  Result<LogHead> next = InsertEvent(*database_, head_, run_id_, kind, payload);
  if (!next.ok()) return next.status();
  BITPILOT_RETURN_IF_ERROR(transaction->Commit());
  head_ = *next;
  return Status();
}

Status SqliteStudy::Append(const std::string& kind, const std::string& payload_json) {
  if (kind == kConfigKind || kind == MeasurementEvent::kKind || kind == ArtifactEvent::kKind ||
      kind.empty()) {
    return InvalidArgument("event kind \"" + kind + "\" is written by the study itself");
  }
  if (!nlohmann::json::accept(payload_json)) {
    return InvalidArgument("event " + kind + ": expected a JSON payload, got \"" + payload_json +
                           "\"");
  }
  return AppendWithRow(kind, payload_json, [](std::int64_t) { return Status(); });
}

Status SqliteStudy::AppendMeasurements(std::span<const MeasurementRow> rows) {
  BITPILOT_RETURN_IF_ERROR(CheckWritable());
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_, "IMMEDIATE");
  if (!transaction.ok()) return transaction.status();
  LogHead head = head_;
  for (const MeasurementRow& row : rows) {
    BITPILOT_RETURN_IF_ERROR(ValidateMeasurement(row));
    Result<std::optional<MeasurementRow>> known = FindMeasurement(row.measurement_id);
    if (!known.ok()) return known.status();
    if (*known) {
      return InvalidArgument("measurement " + row.measurement_id + " is already in " + path());
    }
    BITPILOT_RETURN_IF_ERROR(InsertMeasurement(*database_, row, head.seq + 1));
    const MeasurementEvent event{row.measurement_id, MeasurementSha256(row), row.candidate_id,
                                 row.tier, row.status};
    Result<LogHead> next =
        InsertEvent(*database_, head, run_id_, MeasurementEvent::kKind, ToJson(event));
    if (!next.ok()) return next.status();
    head = *next;
  }
  BITPILOT_RETURN_IF_ERROR(transaction->Commit());
  head_ = head;
  return Status();
}

Result<std::vector<Event>> SqliteStudy::Events() const {
  std::vector<EventRow> rows;
  BITPILOT_RETURN_IF_ERROR(ReadEvents(*database_, rows));
  std::vector<Event> events;
  events.reserve(rows.size());
  for (EventRow& row : rows) events.push_back(std::move(row.chained.event));
  return events;
}

Result<std::optional<MeasurementRow>> SqliteStudy::FindMeasurement(
    const std::string& measurement_id) const {
  Result<std::vector<ChainedMeasurement>> rows =
      ReadMeasurementsWhere(*database_, "measurement_id = ?1", measurement_id);
  if (!rows.ok()) return rows.status();
  if (rows->empty()) return std::optional<MeasurementRow>();
  return std::optional(std::move(rows->front().row));
}

Result<std::vector<MeasurementRow>> SqliteStudy::Measurements() const {
  Result<std::vector<ChainedMeasurement>> rows = ReadMeasurements(*database_);
  if (!rows.ok()) return rows.status();
  std::vector<MeasurementRow> measurements;
  measurements.reserve(rows->size());
  for (ChainedMeasurement& row : *rows) measurements.push_back(std::move(row.row));
  return measurements;
}

Status SqliteStudy::PutArtifact(const std::string& sha256, const std::string& kind,
                                const std::string& file) {
  BITPILOT_RETURN_IF_ERROR(CheckWritable());
  Result<SqliteStatement> known =
      database_->Prepare("SELECT 1 FROM artifact WHERE sha256 = ?1 AND file = ?2");
  if (!known.ok()) return known.status();
  Result<bool> found = known->Bind(1, sha256).Bind(2, file).Step();
  if (!found.ok()) return found.status();
  if (*found) return Status();
  return AppendWithRow(ArtifactEvent::kKind, ToJson(ArtifactEvent{sha256, kind, file}),
                       [&](std::int64_t seq) {
                         return InsertArtifact(*database_, {sha256, kind, file, seq});
                       });
}

Result<LogHead> SqliteStudy::Head() const {
  Result<HeadRow> head = ReadHead(*database_);
  if (!head.ok()) return head.status();
  return head->log;
}

Result<std::string> SqliteStudy::ContentHash() const {
  Result<std::vector<Event>> events = Events();
  if (!events.ok()) return events.status();
  Result<std::vector<MeasurementRow>> measurements = Measurements();
  if (!measurements.ok()) return measurements.status();
  return ContentSha256(*events, *measurements);
}

Status SqliteStudy::Close(const std::string& exit_reason) {
  BITPILOT_RETURN_IF_ERROR(CheckWritable());
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_, "IMMEDIATE");
  if (!transaction.ok()) return transaction.status();
  BITPILOT_RETURN_IF_ERROR(EndRun(*database_, run_id_, exit_reason));
  BITPILOT_RETURN_IF_ERROR(transaction->Commit());
  lock_.reset();

  database_->SetWait({});  // for idle readers nobody waits without end
  Result<std::int64_t> blocked = database_->QueryInt("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!blocked.ok()) return blocked.status();
  if (*blocked != 0) {
    return Status(StatusCode::kUnavailable,
                  path() + ": a reader keeps the write-ahead log; until it ends, keep " + path() +
                      "-wal beside the study");
  }
  // Without a log to look for, the file can be read in a folder that cannot be written. Only an
  // idle reader can be in the way now; the file is complete all the same.
  StudyWait none;
  none.limit = std::chrono::milliseconds(0);
  database_->SetWait(none);
  static_cast<void>(database_->SetPragma("journal_mode", "DELETE", "delete"));
  return Status();
}

// Opens the existing study at `path` for writing, in a new run or in the one that just created it.
Result<std::unique_ptr<Study>> OpenWriter(const std::string& path, WriterLock lock, bool new_run,
                                          const StudyWait& wait) {
  Result<std::unique_ptr<SqliteDatabase>> opened =
      SqliteDatabase::Open(path, SqliteMode::kReadWrite, wait);
  if (!opened.ok()) return opened.status();
  SqliteDatabase& database = **opened;
  BITPILOT_RETURN_IF_ERROR(database.SetPragma("journal_mode", "WAL", "wal"));
  // Every commit goes on into the file itself, as far as readers allow: who copies it alone loses
  // an event or two, not hundreds.
  BITPILOT_RETURN_IF_ERROR(database.SetPragma("wal_autocheckpoint", "1", "1"));
  BITPILOT_RETURN_IF_ERROR(MigrateSchema(database));

  Result<std::int64_t> run_id = database.QueryInt("SELECT max(run_id) FROM run");
  if (new_run) {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database, "IMMEDIATE");
    if (!transaction.ok()) return transaction.status();
    run_id = InsertRun(database);
    if (!run_id.ok()) return run_id.status();
    BITPILOT_RETURN_IF_ERROR(transaction->Commit());
  }
  if (!run_id.ok()) return run_id.status();
  Result<HeadRow> head = ReadHead(database);
  if (!head.ok()) return head.status();
  return std::unique_ptr<Study>(std::make_unique<SqliteStudy>(std::move(*opened), std::move(lock),
                                                              *run_id, std::move(head->log)));
}

}  // namespace

Result<std::unique_ptr<Study>> Study::Create(const std::string& path,
                                             const std::string& config_json,
                                             const StudyWait& wait) {
  if (!nlohmann::json::parse(config_json, nullptr, /*allow_exceptions=*/false).is_object()) {
    return InvalidArgument(path + ": a study's configuration must be a JSON object");
  }
  Result<WriterLock> lock = WriterLock::Acquire(path);
  if (!lock.ok()) return lock.status();
  for (const char* suffix : {"", "-wal"}) {
    std::error_code ignored;
    if (std::filesystem::exists(path + suffix, ignored)) {
      return InvalidArgument(path + suffix +
                             ": exists; continue with --resume, remove it, or choose another name");
    }
  }

  const std::string unfinished = path + ".new";
  std::error_code error;
  std::filesystem::remove(unfinished,
                          error);  // Of a run that was killed while it created the study.
  std::filesystem::remove(unfinished + "-journal", error);
  BITPILOT_RETURN_IF_ERROR(WriteFirstState(unfinished, config_json));
  BITPILOT_RETURN_IF_ERROR(RenameDurably(unfinished, path));
  return OpenWriter(path, std::move(*lock), /*new_run=*/false, wait);
}

Result<std::unique_ptr<Study>> Study::OpenForResume(const std::string& path,
                                                    const StudyWait& wait) {
  // Everything that can be wrong is found by a reader first, so that a failure changes nothing.
  BITPILOT_RETURN_IF_ERROR(OpenStudyDatabase(path, wait).status());
  Result<WriterLock> lock = WriterLock::Acquire(path);
  if (!lock.ok()) return lock.status();
  Result<std::optional<LogProblem>> problem = VerifyLog(path, wait);
  if (!problem.ok()) return problem.status();
  if (*problem) {
    return DataCorrupt(path + ": event " + std::to_string((*problem)->seq) + ": " +
                       (*problem)->what + "; a damaged study is not continued");
  }
  return OpenWriter(path, std::move(*lock), /*new_run=*/true, wait);
}

std::string MissingEndText(const std::string& path) {
  return path + ": " + path +
         "-wal is not beside it, so this is a copy of a search that was running or killed, and the "
         "last events may be missing. To copy a study, let the search end (Ctrl-C saves) and copy "
         "FILE and FILE.files; while it runs, `sqlite3 FILE '.backup COPY'` copies FILE";
}

Result<std::unique_ptr<Study>> Study::OpenReadOnly(const std::string& path) {
  Result<std::unique_ptr<SqliteDatabase>> database = OpenStudyDatabase(path);
  if (!database.ok()) return database.status();
  Result<std::optional<std::string>> damage = FindDamage(**database);
  if (!damage.ok()) return damage.status();
  if (*damage) {
    return DataCorrupt(path + ": is damaged (" + **damage +
                       "); `bitpilot log verify` names the first bad event");
  }
  return std::unique_ptr<Study>(
      std::make_unique<SqliteStudy>(std::move(*database), std::nullopt, 0, LogHead()));
}

}  // namespace bitpilot
