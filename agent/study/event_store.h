// EventStore: where the log of a study is kept. Everything above (Study, Journal, VerifyLog(),
// reports) knows a store by this interface alone; agent/study/sqlite is one implementation.
//
// What is stored. A log is a sequence of events, numbered 1, 2, 3, ... without gaps, that only
// grows. To the store an event is a kind, a payload and blobs: bytes that come back as they went
// in. What they mean is known above.
//
// What is whose. The store numbers, dates and chains its events (by ChainNext() of
// agent/study/event_chain.h) and keeps the end of the log and the runs, because only who appends in
// one transaction knows what the next event follows. Above are: which kinds there are, JSON, the
// rows behind blobs, finding a measurement by its id, and the proof of the log: VerifyLog()
// recomputes every hash from a snapshot and believes no store. A store may derive rows of its own
// from events, to be queried by other programs. It writes them with their event, and
// FindAlteration() compares the two.
//
// Who writes. A log has one claim, and only its holder appends:
//
//   Claim()                    nobody else can; nothing is written yet
//   BeginLog() or BeginRun()   a new log with its first event, or one more run of an old one
//   Append() ...               Heartbeat() before work that takes long
//   End()                      the run is over, the claim free
//
// Any number of stores and processes may read meanwhile.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

// One event of the log, in the order in which the agent consumed things. agent/study/events.h has
// the kinds ("config", "proposal", "measurement", ...) and their payloads, which are JSON.
struct Event {
  std::int64_t seq = 0;  // 1, 2, 3, ... without gaps
  std::string kind;
  std::string payload;
};

// An event with what the store added, without its own hash.
struct ChainedEvent {
  Event event;
  std::string prev_sha256;  // of the event before it; kNoPreviousSha256 of event 1
  std::int64_t run_id = 0;  // the run that appended it
  std::int64_t utc_ns = 0;  // when
};

struct StoredEvent {
  ChainedEvent chained;
  std::string sha256;              // EventSha256(chained)
  std::vector<std::string> blobs;  // empty if they were not asked for
};

// What is appended.
struct NewEvent {
  std::string kind;
  std::string payload;
  // Too large, or too structured, for the payload. The hash covers kind and payload alone: a
  // payload names the SHA-256 of each of its blobs, which chains them.
  std::vector<std::string> blobs;
};

// The end of the log. Noted elsewhere, it proves later that the whole log is still the same.
struct LogHead {
  std::int64_t seq = 0;
  std::string sha256;
};

// What the store recorded of its end, in the transactions that moved it.
struct RecordedEnd {
  LogHead head;
  std::string runs_sha256;  // RunsSha256() of all runs
};

// One process life of the agent: the search, or a resume of it.
struct Run {
  std::int64_t run_id = 0;  // 1, 2, 3, ...
  std::string host;
  std::int64_t pid = 0;
  std::string boot_id;
  std::int64_t started_utc_ns = 0;
  std::int64_t ended_utc_ns = 0;  // 0: running, or killed
  std::string exit_reason;        // empty: running, or killed
};

struct LogProblem {
  std::int64_t seq = 0;  // first bad event; 0 if the damage is not in the log
  std::string what;
};

struct ReadOptions {
  std::int64_t max_events = std::numeric_limits<std::int64_t>::max();
  bool with_blobs = false;
};

// The log in one state, that of the call of Snapshot(), however much is appended meanwhile. The
// store must outlive it. Short-lived: a store may be unable to free space until it is gone.
class EventSnapshot {
 public:
  virtual ~EventSnapshot() = default;

  // Calls `visit` for events first_seq, first_seq + 1, ... to the end, in this order. A first_seq
  // behind the end is no error. What an altered log lacks is left out: the caller compares numbers.
  //
  // Errors: those of `visit`, which end the reading; kDataCorrupt for an event that is damaged,
  // after all before it were visited; kUnavailable and others from the medium, which say nothing of
  // the log.
  virtual Status ReadFrom(std::int64_t first_seq, const ReadOptions& options,
                          const std::function<Status(StoredEvent)>& visit) const = 0;

  virtual Result<RecordedEnd> End() const = 0;
  virtual Result<std::vector<Run>> Runs() const = 0;  // by run_id

  // The first difference between the log and what this store keeps beside it by its own rules
  // (derived rows, a schema that defends them); nullopt if there is none. What VerifyLog() can
  // recompute by itself (hashes, order, blobs, the recorded end) is not looked at.
  virtual Result<std::optional<LogProblem>> FindAlteration() const = 0;

  // The medium's own checks (pages, checksums): the first finding, nullopt if all is well.
  virtual Result<std::optional<std::string>> FindDamage() const = 0;
};

// A place that holds one log or none yet. Making one touches nothing. Not thread-safe.
class EventStore {
 public:
  // Ends a run that was not ended, as "failed", and frees the claim.
  virtual ~EventStore() = default;

  // The place, for messages: a path.
  virtual const std::string& name() const = 0;

  // The log as it is now. A reader modifies nothing and blocks no writer. Snapshots must be gone
  // before this store claims, begins, appends or ends.
  //
  // Errors: kNotFound (no log here), kDataCorrupt (something else is), kVersionMismatch (of a newer
  // bitpilot), kUnavailable, kPermissionDenied.
  virtual Result<std::unique_ptr<EventSnapshot>> Snapshot() const = 0;

  // Claims the place, whether or not there is a log yet. Nothing is written to the log. REQUIRES:
  // this store does not hold the claim.
  //
  // The claim lasts until End(), this object's end, or its process's, by kill -9 too. A store on
  // the holder's own machine learns of a death from the kernel, at once, and never takes the claim
  // from a process that lives, however long that is stopped or busy. A store that cannot see the
  // holder documents after which silence (no Append(), no Heartbeat()) the claim is free. A search
  // beats before each training and measuring, not within: that silence must be longer than the
  // longest of them (the final training of one network, waiting for a board that is away), or the
  // store must beat by itself meanwhile.
  //
  // Errors:
  //   kUnavailable  another process, or another store of this one, holds it; names the holder.
  //   kUnsupported, kNotFound, kPermissionDenied  the place is none for a log.
  virtual Status Claim() = 0;

  // Writes a new log, which holds `first` and this process's run: complete or not at all, even if
  // the process is killed meanwhile. REQUIRES: Claim().
  //
  // Errors: kInvalidArgument if there is a log already, or an event that the store cannot keep.
  virtual Status BeginLog(const NewEvent& first) = 0;

  // Begins one more run of the log, and brings a log of an older version to this one. On failure
  // the log is unchanged. REQUIRES: Claim().
  virtual Status BeginRun() = 0;

  // True from BeginLog() or BeginRun() to End(), or to the first call that says that the claim was
  // lost. From then on every call that writes says so again.
  virtual bool is_writing() const = 0;

  // Appends the events in this order, all or none. When it returns OK they survive the loss of the
  // process and of power. A process that is killed in here leaves all of them or none. Implies
  // Heartbeat().
  //
  // Errors, with nothing appended:
  //   kInvalidArgument  the store does not write; or it cannot give back what an event holds (a
  //                     blob whose form it has no place for): nothing is kept in part.
  //   kAborted          the claim was lost to another process, which may have appended.
  //   kResourceExhausted, kUnavailable, kDataCorrupt  from the medium; the same call may be made
  //                     again.
  virtual Status Append(std::span<const NewEvent> events) = 0;

  // Keeps the claim, and tells whether it is still this store's. To be called before work whose
  // result would be appended (training, measuring), so that none is done in vain.
  //
  // Errors:
  //   kAborted          another process holds it now, or held it meanwhile and appended.
  //   kInvalidArgument  the store does not write.
  //   others, such as kPermissionDenied, kResourceExhausted  the claim cannot be kept now, but is
  //                     nobody else's as far as this store can see: the call may be made again.
  virtual Status Heartbeat() = 0;

  // Ends the run and frees the claim. Reading still works.
  //
  // Errors:
  //   kInvalidArgument  the store does not write.
  //   kAborted          the claim was lost; the run reads as killed.
  //   kUnavailable, kResourceExhausted, kDataCorrupt  from the medium. While is_writing() is true
  //                     the run goes on, and the call may be made again; else it has ended, and the
  //                     message says what is still to be kept beside the log.
  virtual Status End(const std::string& exit_reason) = 0;
};

}  // namespace bitpilot
