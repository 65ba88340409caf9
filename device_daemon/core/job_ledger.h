// Job ledger: what the worker does, and what waits for it.
//
// One job runs; of every session one measurement and a few inference requests may wait. Whose turn it
// is next is decided elsewhere (turn_order.h). A measurement is identified by its measure_id.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>

#include "device_daemon/core/daemon_events.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot::daemon {

struct Job {
  JobId id = 0;
  std::string session_id;
  std::string user_id;
  std::uint64_t request_id = 0;  // Of the latest request for this job: where the answer goes.
  Message request;
  std::string fingerprint;  // Of a MeasureRequest.
  std::string holder;       // Whose lease it was accepted under, for people.
  int priority = 0;
  std::uint64_t arrival = 0;  // These two as Waiter's.
  int overtaken = 0;
  Milliseconds accepted{0};  // When.
  std::size_t size_bytes = 0;
  // Longest run, from its start. What the agent asked for stays; what the daemon guessed grows with
  // what the worker's timing foretells.
  Milliseconds limit{0};
  bool limit_is_asked_for = false;
  // Set while it runs.
  Milliseconds started{0};
  Milliseconds last_progress{0};
  Milliseconds silence{0};                       // No sign of life for longer than this: it hangs.
  Milliseconds remaining{0};                     // As of last_progress; 0 while nobody knows.
  Milliseconds turn_wait{0};                     // Of that: for other daemons of the machine.
  std::optional<v1::MeasureStatus> stop_reason;  // Why it was stopped: CANCELLED or TIMED_OUT.
  bool is_revoked = false;  // Its user is not authorized any more: nobody is told how it ended.
  // Cancelled, and acknowledged before it ended: its result is told, but not kept.
  bool is_given_up = false;

  bool is_measurement() const { return request.envelope.has_measure_request(); }
  const std::string& measure_id() const { return request.envelope.measure_request().measure_id(); }
};

class JobLedger {
 public:
  static constexpr std::size_t kMaxWaitingInfers = 4;                     // Of a session.
  static constexpr std::size_t kMaxWaitingBytes = std::size_t{64} << 20;  // Of all jobs together.

  // The job of a measurement, or null. A revoked job is none: asked for again, its measurement is a
  // new one, which waits for its end.
  Job* FindMeasurement(const std::string& measure_id);

  // OK if this job may wait now.
  //
  // Errors: kUnavailable says for what to wait.
  Status CheckRoom(const Job& job) const;
  void Enqueue(Job job);
  // Starts a job that waits. silence: how long it may take until its first sign of life.
  //
  // REQUIRES: none runs; `id` waits.
  Job& Start(JobId id, Milliseconds now, Milliseconds silence);
  // Ends the running job.
  //
  // REQUIRES: running() is not null.
  Job FinishRunning();
  // Takes the waiting jobs of a session out of the queue.
  std::deque<Job> RemoveWaiting(const std::string& session_id);
  // Drops the waiting jobs of every user who is not among `user_ids`.
  void KeepUsers(const std::set<std::string>& user_ids);
  // Takes one waiting measurement out of the queue.
  std::optional<Job> RemoveWaitingMeasurement(const std::string& measure_id);

  // True if the running job or one that waits needs the network file.
  bool Names(std::string_view sha256) const;

  Job* running() { return running_ ? &*running_ : nullptr; }
  const Job* running() const { return running_ ? &*running_ : nullptr; }
  std::deque<Job>& waiting() { return waiting_; }
  const std::deque<Job>& waiting() const { return waiting_; }  // In the order of their arrival.
  // Whether a job of the session, or of the user, runs or waits.
  bool HasJobsOf(const std::string& session_id) const;
  bool HasJobsOfUser(const std::string& user_id) const;

 private:
  std::optional<Job> running_;
  std::deque<Job> waiting_;
};

// SHA-256 over all fields of the request but its id and kernel_choices (serialized protobufs are not
// canonical): the same id with other content is another request, and refused. A new field of the
// messages belongs in here.
std::string FingerprintOf(const v1::MeasureRequest& request);

}  // namespace bitpilot::daemon
