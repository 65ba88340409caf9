#include "agent/study/sqlite/sqlite_event_store.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>

#include "agent/study/sqlite/sqlite_database.h"
#include "agent/study/sqlite/sqlite_snapshot.h"
#include "agent/study/sqlite/study_schema.h"
#include "agent/study/sqlite/table_reader.h"
#include "agent/study/sqlite/table_writer.h"
#include "agent/study/sqlite/writer_lock.h"
#include "kernels/base/atomic_file.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

class SqliteEventStore final : public EventStore {
 public:
  SqliteEventStore(std::string path, StudyWait wait)
      : path_(std::move(path)), wait_(std::move(wait)) {}

  // As after End(), the file is complete without a write-ahead log: one that stayed in that mode
  // would look like a copy without its end.
  ~SqliteEventStore() override {
    if (!is_writing()) return;
    database_->SetWait({});
    static_cast<void>(SqliteEventStore::End("failed"));
  }

  const std::string& name() const override { return path_; }
  Result<std::unique_ptr<EventSnapshot>> Snapshot() const override;
  Status Claim() override;
  Status BeginLog(const NewEvent& first) override;
  Status BeginRun() override;
  bool is_writing() const override { return run_id_.has_value(); }
  Status Append(std::span<const NewEvent> events) override;
  Status Heartbeat() override;
  Status End(const std::string& exit_reason) override;

 private:
  Status CheckWriting() const {
    if (is_writing()) return Status();
    if (!lost_.ok()) return lost_;
    return InvalidArgument(path_ + ": is open for reading only, or closed");
  }
  // kAborted if the log does not end where this writer left it.
  Status CheckHead() const;
  // Another process took the study: `why`, which is also what all later calls that write return.
  Status Lose(const Status& why);
  // Opens the existing file for writing, in a new run or in the one that just created it.
  Status OpenForWriting(bool new_run);
  Status BeginWriting(bool new_run);  // the part behind opening
  // Makes the file complete without its write-ahead log.
  Status FoldLogIntoFile();

  std::string path_;
  StudyWait wait_;
  std::optional<WriterLock> lock_;                    // freed after the database is closed
  mutable std::unique_ptr<SqliteDatabase> database_;  // opened by the first call that needs it
  std::optional<std::int64_t> run_id_;                // while writing
  LogHead head_;                                      // where this writer left the log
  Status lost_;                                       // why the claim was lost; else OK
};

Result<std::unique_ptr<EventSnapshot>> SqliteEventStore::Snapshot() const {
  if (database_ == nullptr) {
    Result<std::unique_ptr<SqliteDatabase>> opened = OpenStudyDatabase(path_, wait_);
    if (!opened.ok()) return opened.status();
    database_ = std::move(*opened);
  }
  return SqliteSnapshot::Take(*database_);
}

Status SqliteEventStore::Claim() {
  BITPILOT_CHECK(!lock_);
  Result<WriterLock> lock = WriterLock::Acquire(path_);
  if (!lock.ok()) return lock.status();
  lock_.emplace(std::move(*lock));
  database_.reset();  // A reader that was opened before may have believed that nobody writes.
  return Status();
}

Status SqliteEventStore::BeginLog(const NewEvent& first) {
  BITPILOT_CHECK(lock_ && !is_writing());
  std::error_code ignored;
  if (std::filesystem::exists(path_, ignored)) {
    return InvalidArgument(path_ +
                           ": exists; continue with --resume, remove it, or choose another name");
  }
  // SQLite would play what is left of a removed study into the new one.
  for (const char* suffix : {"-wal", "-journal"}) {
    if (std::filesystem::exists(path_ + suffix, ignored)) {
      return InvalidArgument(path_ + suffix + ": exists without " + path_ +
                             "; bring that back and continue with --resume, remove this one, too, "
                             "or choose another name");
    }
  }
  const std::string unfinished = path_ + ".new";
  const auto remove_unfinished = [&] {
    std::filesystem::remove(unfinished, ignored);
    std::filesystem::remove(unfinished + "-journal", ignored);
  };
  remove_unfinished();  // of a run that was killed while it created the study
  Status written = WriteFirstState(unfinished, first);
  if (written.ok()) written = RenameDurably(unfinished, path_);
  if (!written.ok()) {
    remove_unfinished();
    return written;
  }
  return OpenForWriting(/*new_run=*/false);
}

Status SqliteEventStore::BeginRun() {
  BITPILOT_CHECK(lock_ && !is_writing());
  return OpenForWriting(/*new_run=*/true);
}

Status SqliteEventStore::OpenForWriting(bool new_run) {
  database_.reset();
  Result<std::unique_ptr<SqliteDatabase>> opened =
      SqliteDatabase::Open(path_, SqliteMode::kReadWrite, wait_);
  if (!opened.ok()) return opened.status();
  database_ = std::move(*opened);
  const Status begun = BeginWriting(new_run);
  if (begun.ok()) return Status();
  static_cast<void>(FoldLogIntoFile());  // as it was found
  database_.reset();
  return begun;
}

Status SqliteEventStore::BeginWriting(bool new_run) {
  SqliteDatabase& database = *database_;
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
  Result<RecordedEnd> end = ReadEnd(database);
  if (!end.ok()) return end.status();
  head_ = std::move(end->head);
  run_id_ = *run_id;
  lost_ = Status();
  return Status();
}

Status SqliteEventStore::CheckHead() const {
  const Result<RecordedEnd> end = ReadEnd(*database_);
  if (!end.ok()) return end.status();
  if (end->head.seq == head_.seq && end->head.sha256 == head_.sha256) return Status();
  return AppendedByAnother(path_, head_);
}

Status SqliteEventStore::Lose(const Status& why) {
  run_id_.reset();
  lock_.reset();
  lost_ = why;
  return lost_;
}

Status SqliteEventStore::Append(std::span<const NewEvent> events) {
  BITPILOT_RETURN_IF_ERROR(Heartbeat());
  LogHead head = head_;
  const auto insert_all = [&]() -> Status {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_, "IMMEDIATE");
    if (!transaction.ok()) return transaction.status();
    for (const NewEvent& event : events) {
      Result<LogHead> next = InsertEvent(*database_, head, *run_id_, event);
      if (!next.ok()) return next.status();
      head = std::move(*next);
    }
    return transaction->Commit();
  };
  if (const Status inserted = insert_all(); !inserted.ok()) {
    return inserted.code() == StatusCode::kAborted ? Lose(inserted) : inserted;
  }
  head_ = std::move(head);
  return Status();
}

Status SqliteEventStore::Heartbeat() {
  BITPILOT_RETURN_IF_ERROR(CheckWriting());
  if (lock_->IsInPlace()) return Status();
  // Somebody removed the side file. Whoever makes it anew holds the claim.
  Result<WriterLock> again = WriterLock::Acquire(path_);
  if (again.status().code() == StatusCode::kUnavailable) {
    return Lose(Status(StatusCode::kAborted,
                       "this process's lock was removed, and now " + again.status().message()));
  }
  if (!again.ok()) return again.status().WithContext("this process's lock was removed");
  // Another process may have held it meanwhile, and ended.
  if (const Status same = CheckHead(); !same.ok()) {
    if (same.code() != StatusCode::kAborted) return same;
    static_cast<void>(FoldLogIntoFile());  // which that process could not, beside this one
    return Lose(same);
  }
  lock_.emplace(std::move(*again));
  return Status();
}

Status SqliteEventStore::End(const std::string& exit_reason) {
  BITPILOT_RETURN_IF_ERROR(Heartbeat());
  const auto end_run = [&]() -> Status {
    Result<SqliteTransaction> transaction = SqliteTransaction::Begin(*database_, "IMMEDIATE");
    if (!transaction.ok()) return transaction.status();
    BITPILOT_RETURN_IF_ERROR(CheckHead());
    BITPILOT_RETURN_IF_ERROR(EndRun(*database_, *run_id_, exit_reason));
    return transaction->Commit();
  };
  if (const Status ended = end_run(); !ended.ok()) {
    return ended.code() == StatusCode::kAborted ? Lose(ended) : ended;
  }
  run_id_.reset();
  lock_.reset();
  return FoldLogIntoFile();
}

Status SqliteEventStore::FoldLogIntoFile() {
  database_->SetWait({});  // for idle readers nobody waits without end
  const Result<std::int64_t> blocked = database_->QueryInt("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!blocked.ok()) return blocked.status();
  if (*blocked != 0) {
    return Status(StatusCode::kUnavailable,
                  path_ + ": a reader keeps the write-ahead log; until it ends, keep " + path_ +
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

}  // namespace

std::unique_ptr<EventStore> MakeSqliteEventStore(const std::string& path, const StudyWait& wait) {
  return std::make_unique<SqliteEventStore>(path, wait);
}

bool SqliteFileMayLackItsEnd(const std::string& path) { return LacksWriteAheadLog(path); }

}  // namespace bitpilot
