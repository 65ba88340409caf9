// Reading a study's tables: connections that modify nothing, and rows in the order of the log.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/study/event_chain.h"
#include "agent/study/sqlite_database.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct EventRow {
  ChainedEvent chained;
  std::string sha256;
};

struct ChainedMeasurement {
  MeasurementRow row;
  std::int64_t seq = 0;  // of the event that holds the row's hash
};

struct ArtifactRow {
  std::string sha256;
  std::string kind;
  std::string file;
  std::int64_t seq = 0;
};

struct HeadRow {
  LogHead log;
  std::string runs_sha256;
};

// Opens the study at `path` so that nothing is written, also while a search appends to it, and
// checks that it is a study of a known version. Damage inside is left to the caller.
//
// Errors: as Study::OpenReadOnly().
Result<std::unique_ptr<SqliteDatabase>> OpenStudyDatabase(const std::string& path,
                                                          const StudyWait& wait = {});

// Appends the log to `rows`. On failure `rows` has what comes before the damage.
Status ReadEvents(const SqliteDatabase& database, std::vector<EventRow>& rows);

// All rows of one table, ordered by seq (run_id for runs). Errors: kDataCorrupt and SQLite's
// others.
Result<std::vector<ChainedMeasurement>> ReadMeasurements(const SqliteDatabase& database);
Result<std::vector<ArtifactRow>> ReadArtifacts(const SqliteDatabase& database);
Result<std::vector<Run>> ReadRuns(const SqliteDatabase& database);
Result<HeadRow> ReadHead(const SqliteDatabase& database);

// The measurements of `sql_condition`, e.g. "measurement_id = ?1", with ?1 bound to `value`.
Result<std::vector<ChainedMeasurement>> ReadMeasurementsWhere(const SqliteDatabase& database,
                                                              const std::string& sql_condition,
                                                              const std::string& value);

}  // namespace bitpilot
