// Whether the tables that are derived from the log still say what their events say.
#pragma once

#include <optional>

#include "agent/study/event_store.h"
#include "agent/study/sqlite/sqlite_database.h"
#include "kernels/base/status.h"

namespace bitpilot {

// The first difference: a configuration or artifact that is not its event's, or a row without an
// event. Columns of measurements are compared by whoever reads their blobs.
//
// Errors: SQLite's.
Result<std::optional<LogProblem>> FindAlteredRow(const SqliteDatabase& database);

}  // namespace bitpilot
