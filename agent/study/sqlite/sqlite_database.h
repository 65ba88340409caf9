// SqliteDatabase and SqliteStatement: one connection and one prepared statement, with errors as
// Status.
//
// The only wrapper of SQLite in bitpilot: sqlite3.h stays in sqlite_database.cc. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/study/study_wait.h"
#include "kernels/base/status.h"

struct sqlite3;
struct sqlite3_stmt;

namespace bitpilot {

enum class SqliteMode : std::uint8_t {
  kCreate,     // creates the file, or opens it; read and write
  kReadWrite,  // the file must exist
  kReadOnly,   // never writes the file; reads through the write-ahead log if there is one
  kImmutable,  // reads the file alone, without locks: nobody may write it meanwhile
};

// A connection's wait for the locks of other programs.
class SqliteWaiter {
 public:
  SqliteWaiter(std::string path, StudyWait wait) : path_(std::move(path)), wait_(std::move(wait)) {}

  void set(StudyWait wait) { wait_ = std::move(wait); }

  // For sqlite3_busy_handler(): sleeps a little; 0 when the wait is over. num_calls: so far, of
  // this wait.
  int Wait(int num_calls);
  // Whatever was waited for was got, or given up.
  void End(bool got_it);

 private:
  std::string path_;
  StudyWait wait_;
  std::chrono::steady_clock::time_point since_;
  bool noticed_ = false;
};

// One prepared statement. Parameters and columns count from 1 and 0, as in SQLite.
class SqliteStatement {
 public:
  ~SqliteStatement();
  SqliteStatement(SqliteStatement&& other) noexcept;
  SqliteStatement& operator=(SqliteStatement&&) = delete;

  // A parameter that is never bound is NULL.
  SqliteStatement& Bind(int parameter, std::int64_t value);
  SqliteStatement& Bind(int parameter, double value) {
    return Bind(parameter, std::optional(value));
  }
  SqliteStatement& Bind(int parameter, std::optional<double> value);  // nullopt is NULL
  SqliteStatement& Bind(int parameter, std::string_view text);
  SqliteStatement& Bind(int parameter,
                        std::span<const double> values);  // BLOB of little-endian doubles

  // True if a row is ready, false at the end.
  Result<bool> Step();
  // Runs a statement that returns no rows.
  Status Run();

  std::int64_t Int(int column) const;
  std::optional<double> Double(int column) const;
  std::string Text(int column) const;  // "" for NULL
  // Nullopt if the BLOB is not a whole number of doubles.
  std::optional<std::vector<double>> Doubles(int column) const;

 private:
  friend class SqliteDatabase;
  SqliteStatement(sqlite3* database, sqlite3_stmt* statement, SqliteWaiter* waiter,
                  const std::string& path)
      : database_(database), statement_(statement), waiter_(waiter), path_(path) {}

  sqlite3* database_;
  sqlite3_stmt* statement_;
  SqliteWaiter* waiter_;
  std::string path_;
};

class SqliteDatabase {
 public:
  // Opens a connection and sets what SQLite keeps per connection, each verified by reading it back:
  // foreign_keys, trusted_schema = OFF; query_only for readers; synchronous = FULL for writers.
  //
  // wait: for programs that hold the file, in this call and in all others.
  //
  // Errors: as StatusOf() in the source.
  static Result<std::unique_ptr<SqliteDatabase>> Open(const std::string& path, SqliteMode mode,
                                                      StudyWait wait = {});

  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // Runs statements separated by ';'.
  Status Execute(const std::string& sql);
  Result<SqliteStatement> Prepare(std::string_view sql) const;

  // First column of the first row of `sql`: a pragma or an aggregate.
  Result<std::int64_t> QueryInt(std::string_view sql) const;
  Result<std::string> QueryText(std::string_view sql) const;

  // Sets a pragma and fails unless reading it back gives `expected`.
  Status SetPragma(std::string_view name, std::string_view value, std::string_view expected);

  // From now on, instead of Open()'s.
  void SetWait(StudyWait wait) { waiter_->set(std::move(wait)); }

  const std::string& path() const { return path_; }

 private:
  SqliteDatabase(sqlite3* handle, const std::string& path, StudyWait wait)
      : handle_(handle),
        path_(path),
        waiter_(std::make_unique<SqliteWaiter>(path, std::move(wait))) {}

  sqlite3* handle_;
  std::string path_;
  std::unique_ptr<SqliteWaiter> waiter_;  // at one address, which SQLite and statements know
};

// A transaction that is undone unless Commit() succeeded.
class SqliteTransaction {
 public:
  // mode: "IMMEDIATE" to write, "DEFERRED" to read one consistent state.
  static Result<SqliteTransaction> Begin(SqliteDatabase& database, std::string_view mode);
  ~SqliteTransaction();
  SqliteTransaction(SqliteTransaction&& other) noexcept;
  SqliteTransaction& operator=(SqliteTransaction&&) = delete;

  Status Commit();

 private:
  explicit SqliteTransaction(SqliteDatabase& database) : database_(&database) {}
  SqliteDatabase* database_;  // null when committed or moved away
};

}  // namespace bitpilot
