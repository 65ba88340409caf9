#include "agent/study/sqlite/sqlite_database.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <limits>
#include <thread>
#include <utility>

#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

static_assert(std::endian::native == std::endian::little, "BLOBs of doubles are little-endian");
static_assert(std::numeric_limits<double>::is_iec559);

// What the system said to the last call, to the file's last failure and to that of its log. What SQLite
// does about a failure is calls, too, so the first is seldom the number of what failed.
std::array<int, 3> SystemErrors(sqlite3* handle) {
  std::array<int, 3> errors = {sqlite3_system_errno(handle), 0, 0};
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &errors[1]);
  sqlite3_file* log = nullptr;
  sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
  if (log != nullptr && log->pMethods != nullptr) {
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &errors[2]);
  }
  return errors;
}

enum class DiskTrouble : std::uint8_t { kNone, kFull, kFails, kReadOnly };

// Only a write that met no space at all is SQLITE_FULL. A quota or a limit on a file's size is a
// failure of the system to SQLite, and so is its log's index that does not grow.
DiskTrouble TroubleOf(int code, sqlite3* handle) {
  const int kind = code & 0xff;
  if (kind == SQLITE_FULL) return DiskTrouble::kFull;
  if (handle == nullptr || (kind != SQLITE_IOERR && kind != SQLITE_CANTOPEN)) {
    return DiskTrouble::kNone;
  }
  const int extended = sqlite3_extended_errcode(handle);
  const std::array<int, 3> errors = SystemErrors(handle);
  const auto said = [&](int error) {
    return std::find(errors.begin(), errors.end(), error) != errors.end();
  };
  if (said(EIO)) return DiskTrouble::kFails;
  if (said(EROFS)) return DiskTrouble::kReadOnly;
  const bool is_full = extended == SQLITE_IOERR_WRITE || extended == SQLITE_IOERR_SHMSIZE ||
                       std::any_of(errors.begin(), errors.end(), IsOutOfSpace);
  return is_full ? DiskTrouble::kFull : DiskTrouble::kNone;
}

Status StatusOf(int code, sqlite3* handle, const std::string& path) {
  const std::string what =
      path + ": " + (handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
  const DiskTrouble trouble = TroubleOf(code, handle);
  if (trouble == DiskTrouble::kFull) {
    return Status(StatusCode::kResourceExhausted, what + " (free some disk space and resume)");
  }
  if (trouble == DiskTrouble::kFails) {
    return Status(StatusCode::kResourceExhausted,
                  what + " (the disk fails; copy the study to another one and resume there)");
  }
  if (trouble == DiskTrouble::kReadOnly) {
    return Status(
        StatusCode::kResourceExhausted,
        what + " (the file system is read-only; make it writable, or copy the study, and resume)");
  }
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return DataCorrupt(what + " (damaged, or not a study; restore it from a copy)");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return Status(StatusCode::kUnavailable, what + " (another process uses it; try again)");
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return Status(StatusCode::kPermissionDenied, what + " (check the file's and folder's mode)");
    case SQLITE_CANTOPEN:
      return Status(StatusCode::kNotFound, what + " (check the path and its permissions)");
    case SQLITE_CONSTRAINT:
      return InvalidArgument(what);
    default:
      return Status(StatusCode::kInternal, what);
  }
}

// A file: URI that names exactly `path`: '?', '#' and '%' have a meaning in URIs.
std::string Uri(const std::string& path, SqliteMode mode) {
  std::string uri = path.starts_with('/') ? "file://" : "file:";
  constexpr char kHex[] = "0123456789ABCDEF";
  for (const char c : path) {
    if (c == '?' || c == '#' || c == '%') {
      const auto byte = static_cast<unsigned char>(c);
      uri += {'%', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      uri += c;
    }
  }
  return mode == SqliteMode::kImmutable ? uri + "?immutable=1" : uri;
}

int WaitForOthers(void* waiter, int num_calls) {
  return static_cast<SqliteWaiter*>(waiter)->Wait(num_calls);
}

}  // namespace

int SqliteWaiter::Wait(int num_calls) {
  constexpr std::chrono::milliseconds kPoll{20};
  const auto now = std::chrono::steady_clock::now();
  if (num_calls == 0) since_ = now;
  if (wait_.stop && wait_.stop()) return 0;
  if (wait_.limit && now - since_ >= *wait_.limit) return 0;
  if (!noticed_ && wait_.notice && now - since_ >= wait_.notice_after) {
    noticed_ = true;
    wait_.notice("another program holds " + path_ + ": waiting for it; nothing is lost");
  }
  std::this_thread::sleep_for(kPoll);
  return 1;
}

void SqliteWaiter::End(bool got_it) {
  if (!std::exchange(noticed_, false) || !got_it) return;
  const auto waited = std::chrono::steady_clock::now() - since_;
  wait_.notice(path_ + " is free again after " +
               std::to_string(std::chrono::round<std::chrono::seconds>(waited).count()) + " s");
}

SqliteStatement::SqliteStatement(SqliteStatement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      waiter_(other.waiter_),
      path_(std::move(other.path_)) {}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

SqliteStatement& SqliteStatement::Bind(int parameter, std::int64_t value) {
  BITPILOT_CHECK(sqlite3_bind_int64(statement_, parameter, value) == SQLITE_OK);
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int parameter, std::optional<double> value) {
  const int code = value ? sqlite3_bind_double(statement_, parameter, *value)
                         : sqlite3_bind_null(statement_, parameter);
  BITPILOT_CHECK(code == SQLITE_OK);
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int parameter, std::string_view text) {
  BITPILOT_CHECK(sqlite3_bind_text64(statement_, parameter, text.data(), text.size(),
                                     SQLITE_TRANSIENT, SQLITE_UTF8) == SQLITE_OK);
  return *this;
}

SqliteStatement& SqliteStatement::Bind(int parameter, std::span<const double> values) {
  // A null pointer would bind NULL, not an empty BLOB.
  const void* data = values.empty() ? static_cast<const void*>("") : values.data();
  BITPILOT_CHECK(sqlite3_bind_blob64(statement_, parameter, data, values.size_bytes(),
                                     SQLITE_TRANSIENT) == SQLITE_OK);
  return *this;
}

Result<bool> SqliteStatement::Step() {
  const int code = sqlite3_step(statement_);
  waiter_->End(code == SQLITE_ROW || code == SQLITE_DONE);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return StatusOf(code, database_, path_);
}

Status SqliteStatement::Run() { return Step().status(); }

std::int64_t SqliteStatement::Int(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::optional<double> SqliteStatement::Double(int column) const {
  if (sqlite3_column_type(statement_, column) == SQLITE_NULL) return std::nullopt;
  return sqlite3_column_double(statement_, column);
}

std::string SqliteStatement::Text(int column) const {
  const void* text = sqlite3_column_blob(statement_, column);
  const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return text == nullptr ? std::string() : std::string(static_cast<const char*>(text), bytes);
}

std::optional<std::vector<double>> SqliteStatement::Doubles(int column) const {
  const void* blob = sqlite3_column_blob(statement_, column);
  const auto bytes = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  if (bytes % sizeof(double) != 0) return std::nullopt;
  std::vector<double> values(bytes / sizeof(double));
  if (blob != nullptr) std::memcpy(values.data(), blob, bytes);
  return values;
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path,
                                                             SqliteMode mode, StudyWait wait) {
  const bool reader = mode == SqliteMode::kReadOnly || mode == SqliteMode::kImmutable;
  int flags = SQLITE_OPEN_URI | SQLITE_OPEN_EXRESCODE;
  flags |= reader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (mode == SqliteMode::kCreate) flags |= SQLITE_OPEN_CREATE;

  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(Uri(path, mode).c_str(), &handle, flags, nullptr);
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(handle, path, std::move(wait)));
  if (code != SQLITE_OK) return StatusOf(code, handle, path);

  sqlite3_busy_handler(handle, WaitForOthers, database->waiter_.get());
  BITPILOT_RETURN_IF_ERROR(database->SetPragma("trusted_schema", "OFF", "0"));
  BITPILOT_RETURN_IF_ERROR(database->SetPragma("foreign_keys", "ON", "1"));
  BITPILOT_RETURN_IF_ERROR(reader ? database->SetPragma("query_only", "ON", "1")
                                  : database->SetPragma("synchronous", "FULL", "2"));
  return database;
}

SqliteDatabase::~SqliteDatabase() { sqlite3_close_v2(handle_); }

Status SqliteDatabase::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  waiter_->End(code == SQLITE_OK);
  return code == SQLITE_OK ? Status() : StatusOf(code, handle_, path_);
}

Result<SqliteStatement> SqliteDatabase::Prepare(std::string_view sql) const {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v2(handle_, sql.data(), static_cast<int>(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK) return StatusOf(code, handle_, path_);
  return SqliteStatement(handle_, statement, waiter_.get(), path_);
}

Result<std::int64_t> SqliteDatabase::QueryInt(std::string_view sql) const {
  Result<SqliteStatement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  Result<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  return *row ? statement->Int(0) : 0;
}

Result<std::string> SqliteDatabase::QueryText(std::string_view sql) const {
  Result<SqliteStatement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  Result<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  return *row ? statement->Text(0) : std::string();
}

Status SqliteDatabase::SetPragma(std::string_view name, std::string_view value,
                                 std::string_view expected) {
  const std::string pragma = "PRAGMA " + std::string(name);
  BITPILOT_RETURN_IF_ERROR(Execute(pragma + " = " + std::string(value)));
  Result<std::string> now = QueryText(pragma);
  if (!now.ok()) return now.status();
  if (*now == expected) return Status();
  return Unsupported(path_ + ": SQLite keeps " + std::string(name) + " at \"" + *now +
                     "\" where a study needs \"" + std::string(expected) + "\"");
}

Result<SqliteTransaction> SqliteTransaction::Begin(SqliteDatabase& database,
                                                   std::string_view mode) {
  BITPILOT_RETURN_IF_ERROR(database.Execute("BEGIN " + std::string(mode)));
  return SqliteTransaction(database);
}

SqliteTransaction::SqliteTransaction(SqliteTransaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

SqliteTransaction::~SqliteTransaction() {
  // A failed rollback leaves nothing to report: SQLite undoes the transaction when the file is
  // opened again.
  if (database_ != nullptr) static_cast<void>(database_->Execute("ROLLBACK"));
}

Status SqliteTransaction::Commit() {
  BITPILOT_RETURN_IF_ERROR(database_->Execute("COMMIT"));
  database_ = nullptr;
  return Status();
}

}  // namespace bitpilot
