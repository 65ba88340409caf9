// Reading a study's tables: connections that modify nothing, and rows in the order of the log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/study/event_store.h"
#include "agent/study/sqlite/sqlite_database.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct ArtifactRow {
  std::string sha256;
  std::string kind;
  std::string file;
  std::int64_t seq = 0;
};

// True if the file asks for a write-ahead log and has none beside it: a copy of a study that was
// not closed.
bool LacksWriteAheadLog(const std::string& path);

// Opens the study at `path` so that nothing is written, also while a search appends to it, and
// checks that it is a study of a known version. Damage inside is left to the caller.
//
// Errors: as EventStore::Snapshot().
Result<std::unique_ptr<SqliteDatabase>> OpenStudyDatabase(const std::string& path,
                                                          const StudyWait& wait = {});

// EventSnapshot::ReadFrom(). The blob of a measurement is put together from its columns.
Status ReadEvents(const SqliteDatabase& database, std::int64_t first_seq,
                  const ReadOptions& options, const std::function<Status(StoredEvent)>& visit);

// The measurement of event `seq` with its columns, nullopt if there is none. Errors: as below.
Result<std::optional<MeasurementRow>> ReadMeasurement(const SqliteDatabase& database,
                                                      std::int64_t seq);

// All rows of one table, ordered by seq (run_id for runs). Errors: kDataCorrupt and SQLite's
// others.
Result<std::vector<ArtifactRow>> ReadArtifacts(const SqliteDatabase& database);
Result<std::vector<Run>> ReadRuns(const SqliteDatabase& database);
Result<RecordedEnd> ReadEnd(const SqliteDatabase& database);

}  // namespace bitpilot
