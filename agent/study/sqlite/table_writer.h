// Writing a study's tables. InsertRun(), EndRun() and InsertEvent() are a part of the caller's
// transaction.
#pragma once

#include <cstdint>
#include <string>

#include "agent/study/event_store.h"
#include "agent/study/sqlite/sqlite_database.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Writes a study that holds only `first` and this process's run to the new file `path`, and closes
// it.
Status WriteFirstState(const std::string& path, const NewEvent& first);

// Adds a run of this process. Returns its id.
Result<std::int64_t> InsertRun(SqliteDatabase& database);
Status EndRun(SqliteDatabase& database, std::int64_t run_id, const std::string& exit_reason);

// The error, kAborted, of a writer that left the log at `last` and finds another end.
Status AppendedByAnother(const std::string& path, const LogHead& last);

// Appends an event behind `head`, with the rows that are derived from it. Returns the new head.
//
// Errors: kAborted if the log does not end with `head`; kInvalidArgument for a blob or payload that
// its tables cannot give back; SQLite's.
Result<LogHead> InsertEvent(SqliteDatabase& database, const LogHead& head, std::int64_t run_id,
                            const NewEvent& event);

}  // namespace bitpilot
