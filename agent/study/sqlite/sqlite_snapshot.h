// EventSnapshot of a SQLite file: a read transaction of the store's connection.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/study/event_store.h"
#include "agent/study/sqlite/sqlite_database.h"

namespace bitpilot {

class SqliteSnapshot final : public EventSnapshot {
 public:
  // `database` must outlive it and begin no other transaction meanwhile.
  static Result<std::unique_ptr<EventSnapshot>> Take(SqliteDatabase& database);

  Status ReadFrom(std::int64_t first_seq, const ReadOptions& options,
                  const std::function<Status(StoredEvent)>& visit) const override;
  Result<RecordedEnd> End() const override;
  Result<std::vector<Run>> Runs() const override;
  Result<std::optional<LogProblem>> FindAlteration() const override;
  Result<std::optional<std::string>> FindDamage() const override;

 private:
  SqliteSnapshot(SqliteDatabase& database, SqliteTransaction transaction)
      : database_(database), transaction_(std::move(transaction)) {}

  SqliteDatabase& database_;
  SqliteTransaction transaction_;
};

}  // namespace bitpilot
