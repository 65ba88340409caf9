#include "agent/study/sqlite/sqlite_snapshot.h"

#include "agent/study/sqlite/derived_rows.h"
#include "agent/study/sqlite/study_schema.h"
#include "agent/study/sqlite/table_reader.h"

namespace bitpilot {

Result<std::unique_ptr<EventSnapshot>> SqliteSnapshot::Take(SqliteDatabase& database) {
  Result<SqliteTransaction> transaction = SqliteTransaction::Begin(database, "DEFERRED");
  if (!transaction.ok()) return transaction.status();
  // The transaction's state is that of its first read.
  BITPILOT_RETURN_IF_ERROR(database.QueryInt("SELECT count(*) FROM sqlite_schema").status());
  return std::unique_ptr<EventSnapshot>(new SqliteSnapshot(database, std::move(*transaction)));
}

Status SqliteSnapshot::ReadFrom(std::int64_t first_seq, const ReadOptions& options,
                                const std::function<Status(StoredEvent)>& visit) const {
  return ReadEvents(database_, first_seq, options, visit);
}

Result<RecordedEnd> SqliteSnapshot::End() const { return ReadEnd(database_); }

Result<std::vector<Run>> SqliteSnapshot::Runs() const { return ReadRuns(database_); }

Result<std::optional<LogProblem>> SqliteSnapshot::FindAlteration() const {
  const Result<std::optional<std::string>> change = FindSchemaChange(database_);
  if (!change.ok()) return change.status();
  Result<std::optional<LogProblem>> row = FindAlteredRow(database_);
  if (row.ok() && *row) return row;  // Names an event where it can.
  if (*change) return std::optional(LogProblem{0, "the schema was changed: " + **change});
  return row;
}

Result<std::optional<std::string>> SqliteSnapshot::FindDamage() const {
  return bitpilot::FindDamage(database_);
}

}  // namespace bitpilot
