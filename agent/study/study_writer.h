// Writing a study's tables. Every function but the first is a part of the caller's transaction.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/study/sqlite_database.h"
#include "agent/study/study.h"
#include "agent/study/study_reader.h"
#include "kernels/base/status.h"

namespace bitpilot {

inline constexpr std::string_view kConfigKind = "config";

// Writes a study that holds only its configuration and this process's run to the new file `path`,
// and closes it.
Status WriteFirstState(const std::string& path, const std::string& config_json);

// Adds a run of this process. Returns its id.
Result<std::int64_t> InsertRun(SqliteDatabase& database);
Status EndRun(SqliteDatabase& database, std::int64_t run_id, const std::string& exit_reason);

// Appends an event behind `head`. Returns the new head.
Result<LogHead> InsertEvent(SqliteDatabase& database, const LogHead& head, std::int64_t run_id,
                            std::string_view kind, const std::string& payload);

// MeasurementRow's rules, with a message that says which one is broken; the table's CHECKs repeat
// them.
Status ValidateMeasurement(const MeasurementRow& row);

// The row that the event `seq` of the same transaction chains.
Status InsertMeasurement(SqliteDatabase& database, const MeasurementRow& row, std::int64_t seq);
Status InsertArtifact(SqliteDatabase& database, const ArtifactRow& row);

}  // namespace bitpilot
