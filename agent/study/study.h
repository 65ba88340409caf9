// Study: the SQLite file that holds one search: every decision, observation and window, hash-chained.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

// One row of the append-only log, in the order in which the agent consumed things.
struct Event {
  std::int64_t seq = 0;  // 1, 2, 3, ... without gaps
  std::string kind;      // "config", "reference", "proposal", "measurement", "transition", ...
  std::string payload;   // JSON
};

// One answer of a board, with every window: a row outside the event log, whose hash the log chains.
struct MeasurementRow {
  std::string measurement_id;  // unique; a second row with the same id is refused
  std::string candidate_id;    // AssignmentId()
  std::string assignment;      // canonical JSON
  std::string board;           // BoardInfo as JSON
  std::string tier;
  std::string status;          // MeasureStatus name
  std::string detail;
  std::string source;          // "measured" or "MODEL:..."
  std::optional<double> latency_median_ns;  // NULL unless the status has numbers
  std::optional<double> latency_low_ns;
  std::optional<double> latency_high_ns;
  std::vector<double> window_ns;
  std::vector<double> window_cpu_ns;
  std::string conditions;  // JSON
};

class Study {
 public:
  // Creates `path` with the full resolved configuration. Fails if the file exists.
  static Result<std::unique_ptr<Study>> Create(const std::string& path, const std::string& config_json);

  // Opens for appending (a resume); takes the study's writer lock.
  //
  // Errors:
  //   kNotFound, kDataCorrupt (no study, or damaged), kVersionMismatch (written by a newer bitpilot; names both
  //   schema versions), kUnavailable (another agent writes it).
  static Result<std::unique_ptr<Study>> OpenForResume(const std::string& path);

  // Opens read-only: reports and replays never lock out a running search.
  static Result<std::unique_ptr<Study>> OpenReadOnly(const std::string& path);

  virtual ~Study() = default;

  virtual const std::string& path() const = 0;
  virtual std::string config_json() const = 0;

  // Appends one event; durable when it returns.
  virtual Status Append(const std::string& kind, const std::string& payload_json) = 0;

  // Stores a measurement and, in the same transaction, an event of kind "measurement" that holds its id and row hash.
  virtual Status AppendMeasurement(const MeasurementRow& row) = 0;

  virtual Result<std::vector<Event>> Events() const = 0;
  virtual Result<std::optional<MeasurementRow>> FindMeasurement(const std::string& measurement_id) const = 0;
  virtual Result<std::vector<MeasurementRow>> Measurements() const = 0;

  // Records a file that the study needs (checkpoint, network): its content hash and path relative to the study.
  virtual Status PutArtifact(const std::string& sha256, const std::string& kind, const std::string& file) = 0;

  // SHA-256 over kind and payload of every event and every measurement row, without clocks, host and run: equal for
  // two studies that decided and observed the same.
  virtual Result<std::string> ContentHash() const = 0;

  // Marks a clean end: checkpoints the WAL so that the .db alone is complete.
  virtual Status Close() = 0;
};

struct LogProblem {
  std::int64_t seq = 0;  // first bad event; 0 if the damage is not in the log
  std::string what;
};

// Checks the whole chain: every event's hash, every chained row outside it, and the recorded head (truncation).
//
// Returns nullopt for an untouched study. Errors: as OpenReadOnly.
Result<std::optional<LogProblem>> VerifyLog(const std::string& path);

}  // namespace bitpilot
