// Schema of a study's SQLite file, and how older files become current ones. Table `event` is the
// log, `head` its recorded end; `study`, `measurement` and `artifact` are derived from events.
//
// PRAGMA application_id says that a file is a study, PRAGMA user_version which schema it has.
// Migrations run forward only, each in one transaction that also raises user_version.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/study/sqlite/sqlite_database.h"
#include "kernels/base/status.h"

namespace bitpilot {

inline constexpr std::int64_t kStudyApplicationId = 0x42504C54;  // "BPLT"

// The schema that this program writes: the number of migrations.
std::int64_t CurrentSchemaVersion();

// PRAGMA user_version of `database`.
Result<std::int64_t> SchemaVersion(const SqliteDatabase& database);

// Brings `database` from its user_version to CurrentSchemaVersion(); a new file starts at 0.
Status MigrateSchema(SqliteDatabase& database);

// The same up to version `target`, as an older program would have left it.
//
// REQUIRES: target <= CurrentSchemaVersion().
Status MigrateSchemaTo(std::int64_t target, SqliteDatabase& database);

// Checks that `database` is a study that this program can read.
//
// Errors:
//   kDataCorrupt      empty, or not a study; names the file.
//   kVersionMismatch  a newer schema; names both versions.
Status CheckStudyFile(const SqliteDatabase& database);

// SQLite's own check of pages, types and constraints: its first finding, nullopt if all is well.
Result<std::optional<std::string>> FindDamage(const SqliteDatabase& database);

// The first table, trigger or index that is missing, added or altered against the file's own
// version, in words; nullopt if none is.
Result<std::optional<std::string>> FindSchemaChange(const SqliteDatabase& database);

}  // namespace bitpilot
