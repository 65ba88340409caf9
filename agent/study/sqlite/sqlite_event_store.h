// The log of a study in one SQLite file: the EventStore of everything that names a study by a path.
//
// Claims. One process of one machine writes, the holder of an advisory lock on `<file>.lock`
// (writer_lock.h). The kernel frees it when the holder ends, also by kill -9, and the claim is then
// free at once. It is never taken from a process that lives. A heartbeat writes nothing: it finds
// out whether `<file>.lock` was removed, and then takes it again if nobody else has; an append
// besides compares the log's end with where this writer left it.
//
// Durability. A write-ahead log with synchronous = FULL: an append is on the disk before it
// returns. End() folds the log into the file, which alone is then complete.
//
// Blobs. A measurement's (measurement_blob.h) is kept in the columns of a table, for other programs
// to query, and put together from them when it is read. No other kind has blobs so far, and none
// are taken. Artifacts and the configuration have tables too, derived from their payloads.
//
// Files of all older versions are read; BeginRun() brings one to the present version.
#pragma once

#include <memory>
#include <string>

#include "agent/study/event_store.h"
#include "agent/study/study_wait.h"

namespace bitpilot {

// wait: for programs that hold the file, in all calls.
std::unique_ptr<EventStore> MakeSqliteEventStore(const std::string& path,
                                                 const StudyWait& wait = {});

// True if the file is a copy without the write-ahead log that it needs to be complete.
bool SqliteFileMayLackItsEnd(const std::string& path);

}  // namespace bitpilot
