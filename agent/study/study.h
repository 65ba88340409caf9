// Study: what one search holds: every decision, observation and window, hash-chained.
//
// The log is append-only and in the order in which the agent consumed things, so a search can be
// resumed, recomputed and audited from it. agent/study/events.h defines the payloads. A
// measurement's row is the blob of its event, whose payload holds its hash.
//
// Where a study is kept is an EventStore's matter (agent/study/event_store.h). Functions that take
// a path use a SQLite file there.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "agent/study/event_store.h"
#include "agent/study/study_wait.h"
#include "kernels/base/energy.h"
#include "kernels/base/status.h"

namespace bitpilot {

// One answer of a board, with every window: the blob of an event, whose hash the log chains.
struct MeasurementRow {
  std::string measurement_id;  // unique; a second row with the same id is refused
  std::string candidate_id;    // AssignmentId()
  std::string assignment;      // canonical JSON
  std::string board;           // ToJson(BoardInfo)
  std::string tier;            // "SCREEN", "STANDARD" or "AUDIT"
  std::string status;          // ToString(MeasureStatus), e.g. "OK", "WRONG_OUTPUT"
  std::string detail;
  std::string source;  // "measured" or "MODEL:..."
  // Present exactly if the status is OK or NOISY; positive, low <= median <= high.
  std::optional<double> latency_median_ns;
  std::optional<double> latency_low_ns;
  std::optional<double> latency_high_ns;
  std::vector<double> window_ns;  // empty unless OK or NOISY
  std::vector<double> window_cpu_ns;
  std::string conditions;  // ToJson(MeasurementConditions)
  // Of one inference, as a sensor saw it; absent (NULL, tier NONE) where none did. A model's figure
  // has no way in here: it is in the conditions, under its own name.
  std::optional<MeasuredEnergy> energy;
  std::vector<double> energy_window_uj;  // gross, of every window; empty without energy
};

// Not thread-safe: one thread appends. Any number of processes may read meanwhile.
class Study {
 public:
  // Creates `path`, complete or not at all, with the full resolved configuration, a JSON object,
  // which is also event 1 (kind "config"). It should hold no clocks and no path of the study:
  // ContentHash() covers it.
  //
  // wait: for programs that hold the file, in this call and in all others.
  //
  // Errors:
  //   kInvalidArgument  the file exists, or config_json is no JSON object.
  //   kUnsupported      the folder is on a network file system.
  //   kUnavailable, kNotFound, kPermissionDenied, kResourceExhausted  as their names say.
  static Result<std::unique_ptr<Study>> Create(const std::string& path,
                                               const std::string& config_json,
                                               const StudyWait& wait = {});
  static Result<std::unique_ptr<Study>> Create(std::unique_ptr<EventStore> store,
                                               const std::string& config_json);

  // Opens for appending (a resume): verifies the log, claims the study for this process,
  // starts a new run. A killed writer does not block. On failure the file is unchanged.
  //
  // Errors:
  //   kNotFound, kDataCorrupt (no study, damaged, or VerifyLog() names an event), kVersionMismatch
  //   (written by a newer bitpilot; names both schema versions), kUnavailable (another agent writes
  //   it; names it), kUnsupported.
  static Result<std::unique_ptr<Study>> OpenForResume(const std::string& path,
                                                      const StudyWait& wait = {});
  static Result<std::unique_ptr<Study>> OpenForResume(std::unique_ptr<EventStore> store);

  // Opens read-only: reports and replays never lock out a running search, and modify nothing.
  //
  // Errors: kNotFound, kDataCorrupt, kVersionMismatch, as above.
  static Result<std::unique_ptr<Study>> OpenReadOnly(const std::string& path);
  static Result<std::unique_ptr<Study>> OpenReadOnly(std::unique_ptr<EventStore> store);

  // Ends a run that Close() did not, as "failed".
  virtual ~Study() = default;

  virtual const std::string& path() const = 0;
  // The hash of event 1, which holds the time of creation: no two studies have the same, and copies
  // of one do.
  virtual Result<std::string> Id() const = 0;
  virtual std::string config_json() const = 0;

  // Appends one event; durable when it returns. On failure nothing is appended.
  //
  // Errors:
  //   kInvalidArgument  payload_json is no JSON; `kind` is one that the study writes itself
  //                     ("config", "measurement", "artifact"); the study is read-only or closed.
  //   kAborted          the study was taken by another process (EventStore::Claim()).
  //   kResourceExhausted, kUnavailable, kDataCorrupt  from the store.
  virtual Status Append(const std::string& kind, const std::string& payload_json) = 0;

  // Appends an event of kind "measurement" for each measurement of one request, all or none, that
  // holds its id, its row's hash and the row. Errors: as Append(), and
  // kInvalidArgument for a repeated id, an answer that an earlier call stored
  // (MeasurementEvent::measure_id), or a row that breaks MeasurementRow's rules.
  virtual Status AppendMeasurements(std::span<const MeasurementRow> rows) = 0;
  Status AppendMeasurement(const MeasurementRow& row) {
    return AppendMeasurements(std::span(&row, 1));
  }

  virtual Result<std::vector<Event>> Events() const = 0;
  virtual Result<std::optional<MeasurementRow>> FindMeasurement(
      const std::string& measurement_id) const = 0;
  virtual Result<std::vector<MeasurementRow>> Measurements() const = 0;  // in the order of the log

  // Appends an event of kind "artifact" that records a file that the study needs (checkpoint,
  // network): its content hash and path relative to the study's folder of files. The same file
  // again changes nothing.
  virtual Status PutArtifact(const std::string& sha256, const std::string& kind,
                             const std::string& file) = 0;

  virtual Result<LogHead> Head() const = 0;
  virtual Result<std::vector<Run>> Runs() const = 0;

  // SHA-256 over kind and payload of every event and over every measurement row, without clocks,
  // hosts and runs: equal for two studies that decided and observed the same. Left out: events of
  // the kinds "agent", "board", "resume", "checkpoint", "place", "artifact", "end"; the keys
  // "measurement_id", "board_seconds", "table_board_seconds" and "table_origin"; of a measurement its
  // id, board, detail, conditions and CPU times.
  virtual Result<std::string> ContentHash() const = 0;

  // Tells whether this process may still append: called before work whose result would be.
  //
  // Errors: as EventStore::Heartbeat().
  virtual Status Heartbeat() = 0;

  // Marks a clean end of this run and frees the claim: the .db alone is then complete.
  // Reading still works.
  //
  // Errors:
  //   kUnavailable  a reader held the write-ahead log for seconds: the study is complete only with
  //                 its "-wal" file; opening it again for a resume puts that right.
  virtual Status Close(const std::string& exit_reason) = 0;
  Status Close() { return Close("done"); }
};

// Checks the whole chain in one state of the log: every event's hash, every blob, the recorded head
// (truncation), the runs, and what the store knows of alterations and damage.
//
// Returns nullopt for an untouched study. Errors: as OpenReadOnly, except that damage inside a
// study is a problem.
Result<std::optional<LogProblem>> VerifyLog(const EventStore& store);
Result<std::optional<LogProblem>> VerifyLog(const std::string& path, const StudyWait& wait = {});

// True if the file is a copy of a study that was not closed, without the write-ahead log that was
// beside it: it is sound up to some event, and nothing in it says how many came after that. A
// running search keeps that to the last event or two.
bool MayLackItsEnd(const std::string& path);

// What to say of such a file, and how to copy a study.
std::string MissingEndText(const std::string& path);

}  // namespace bitpilot
