// DaemonCore: the daemon's side of the protocol as a pure state machine, Step(event, now) ->
// actions.
//
// No sockets, clocks, threads, files or random numbers inside, so that tests and simulators can
// drive it through any history. The rules:
//
//   Sessions   Hello opens one. Its messages must come from the user who opened it and count
//              request_id upward.
//   Roles      An OBSERVER only looks; only an ADMIN drains.
//   Leases     Work needs one (leases.h); its epoch is stored before it is granted, and every later
//              request must carry it. Any message of the holder renews it, and it does not expire
//              while a job of its session runs or waits. A session that loses it keeps its running
//              job; the result waits for it. Several sessions hold leases PER_JOB at a time. While one
//              holds the RESERVATION only its jobs begin; others who ask for it are told their place
//              in the queue.
//   Artifacts  Uploaded in order under a lease; the store checks them.
//   Jobs       One runs; others wait for their turn (turn_order.h). A measurement is run at most once
//              for its measure_id: asked again it is answered from the job or from the kept results,
//              which needs no lease.
//   Results    Kept until they are acknowledged, for a day at most, and written to the disk between
//              two measurements (kept_results.h). Dropped at a start as a different board. Sent to the
//              session that asked last. One that was cancelled and acknowledged before it ended is not
//              kept: asked for again, its measurement is a new one.
//   Time       A job may run for its request's deadline_ms, counted from its start (waiting does
//              not count, neither for another job nor for another daemon, for which it waits an
//              hour at most). Without one a
//              measurement may take three times what is usual or, once the worker has timed its
//              networks, what that foretells; an inference takes what it takes. Every job is
//              stopped when the worker shows no sign of life for longer than it announced, or for
//              kStallLimit.
//   Draining   Jobs that were accepted are finished; then every lease ends, and none is granted.
//   Errors     Whatever is wrong with a message is answered with an Error that carries its
//              request_id; nothing that a peer sends ends the daemon. A message that came late or
//              twice is kAborted: begin anew, which says nothing of what was asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "device_daemon/core/daemon_events.h"
#include "device_daemon/core/job_ledger.h"
#include "device_daemon/core/kept_results.h"
#include "device_daemon/core/leases.h"
#include "device_daemon/core/turn_order.h"
#include "proto/validation.h"

namespace bitpilot::daemon {

struct CoreConfig {
  std::string boot_id;  // 16 random bytes, new at every start.
  std::uint64_t last_epoch = 0;
  std::vector<v1::KeptResult> kept_results;  // That an earlier run of the daemon left.
  std::optional<std::string> drain_reason;   // The board is drained.
  v1::DeviceCapabilities capabilities;
  v1::BoardLimits limits;  // max_networks is the core's own.
  // How long the energy phase of a request takes; none: no request has one.
  std::function<Milliseconds(const v1::MeasureRequest&)> energy_duration;
};

class DaemonCore {
 public:
  static constexpr Milliseconds kStallLimit{10'000};
  // However slow the worker says that it is: it runs what came over the wire.
  static constexpr Milliseconds kLongestSilence{3'600'000};
  static constexpr Milliseconds kLongestJob{kMaxDeadlineMs};
  // For other daemons of the machine, all of a job's waits together; then it is CANCELLED, which
  // says nothing about its networks.
  static constexpr Milliseconds kLongestTurnWait{3'600'000};
  static constexpr std::size_t kMaxSessions = 64;
  // Between two words to a measurement that waits for other agents.
  static constexpr Milliseconds kQueueWord{60'000};
  // Who waits for a reservation, and asks again so late, has lost its place.
  static constexpr Milliseconds kPlaceKept{5'000};

  explicit DaemonCore(CoreConfig config);

  // REQUIRES: `now` never goes back.
  std::vector<Action> Step(const Event& event, Milliseconds now);

  // When TimePassed must come at the latest; nothing if time alone changes nothing.
  std::optional<Milliseconds> NextDeadline() const;

  // True if a job that runs or waits needs the network file: it must stay in the store.
  bool NeedsArtifact(std::string_view sha256) const { return jobs_.Names(sha256); }

  // Tells HelloAck of the memory that is free now.
  void set_free_memory_bytes(std::uint64_t bytes) {
    config_.capabilities.set_free_memory_bytes(bytes);
  }
  // Tells BoardStatus how warm the board is now.
  void set_temperature_celsius(std::optional<double> celsius) { temperature_celsius_ = celsius; }

  // The first message of a board that connects to its agent.
  Message Announcement() const;
  // What the board does at `now`.
  v1::BoardStatus BoardStatusAt(Milliseconds now) const;
  bool is_measuring() const {
    return jobs_.running() != nullptr && jobs_.running()->is_measurement();
  }

 private:
  struct Session {
    std::string user_id;
    std::string routing_id;  // Of its latest message: a reconnected peer has a new one.
    std::uint64_t last_request_id = 0;
    Milliseconds last_seen{0};
  };
  // Somebody who waits for the RESERVATION.
  struct Applicant {
    LeaseHolder holder;
    std::uint64_t arrival = 0;
    Milliseconds asked{0};
    int overtaken = 0;
    bool is_told = false;        // When its turn comes; or else it asks again.
    Milliseconds place_kept{0};  // Until then, of one who asks again.
  };
  // A job or an Applicant among all that wait.
  struct Turn {
    Waiter waiter;
    std::string session_id;
    std::string name;
    v1::QueueEntry::Kind kind = v1::QueueEntry::MEASUREMENT;
    JobId job = 0;
    Milliseconds asked{0};
    Milliseconds takes{0};  // That it will have the board, about.

    bool is_reservation() const { return kind == v1::QueueEntry::RESERVATION; }
  };

  void On(const MessageReceived& event);
  void On(const FramesRefused& event);
  void On(const EpochStored& event);
  void On(const ArtifactAnswered& event);
  void On(const AgentsReplaced& event);
  void On(const WorkerProgressed& event);
  void On(const WorkerAnswered& event);
  void On(const WorkerFailed& event);
  void On(const ResultStored& event);
  void On(const DrainStored& event);
  void On(const ResultNotSent& event);
  void On(const TimePassed&) { StopOverdueJob(); }

  void OpenSession(const MessageReceived& event);
  Status CheckSession(const MessageReceived& event);
  Status CheckRole(const MessageReceived& event) const;
  Status Dispatch(const MessageReceived& event);
  void AnswerPing(const MessageReceived& event);
  void AnswerStatus(const MessageReceived& event);
  std::string StateName() const;
  Status Drain(const MessageReceived& event);
  void EndLeasesOfADrainedBoard();

  // Leases.
  Status CheckLease(const v1::Envelope& envelope) const;
  void RequestLease(const MessageReceived& event);
  void Apply(const MessageReceived& event, LeaseHolder holder);
  void TakeLease(LeaseHolder holder);
  // Ids of this user's measurements that run, wait, or have a result that is kept.
  std::vector<std::string> KnownMeasurementsOf(const std::string& user_id) const;
  void DenyLease(const std::string& session_id, std::uint64_t request_id, v1::LeaseDenied denied);
  v1::LeaseDenied Held(const Applicant& applicant) const;
  void ReleaseLease(const v1::Envelope& envelope);
  // But for sessions with jobs: whose measurement runs may be silent on purpose.
  void ExpireLeases();

  // Jobs.
  Status StartInfer(const MessageReceived& event);
  Status StartMeasure(const MessageReceived& event);
  bool AnswerKnownMeasurement(const MessageReceived& event);
  Status CancelMeasure(const MessageReceived& event);
  void AcknowledgeResult(const std::string& measure_id, const std::string& user_id);
  Milliseconds TypicalDuration(const v1::MeasureRequest& request) const;
  Milliseconds LimitOf(const v1::Envelope& envelope) const;
  // What a measurement that runs or waits still takes.
  Milliseconds RemainingOf(const Job& job) const;
  // Forgets the networks that the worker found damaged; takes those that `job` does not name out of
  // the reply.
  void DropDamaged(const Job& job, Message& reply);
  Job MakeJob(const MessageReceived& event, std::string fingerprint);
  Status Enqueue(Job job);
  void StopRunning(v1::MeasureStatus reason);
  void StopOverdueJob();
  Job FinishRunning();
  void FinishWithStatus(const Job& job, v1::MeasureStatus status, const std::string& detail);
  void FinishWithResult(const Job& job, v1::MeasureResult result);

  // The queue.
  std::vector<Turn> Turns() const;         // All that waits.
  std::vector<Turn> TurnsInOrder() const;  // In which it would begin.
  // Begins whatever may begin now.
  void Advance();
  bool BeginNext();
  void Overtake(const Turn& next);
  void StartJobOf(const Turn& turn);
  std::uint32_t QueuePosition(std::uint64_t arrival) const;
  // Tells measurements that wait behind other agents.
  void TellWhoWaits();
  bool WaitsForOthers(const Job& job) const;

  // Leaves the disk alone while a measurement runs.
  void StoreKeptResults();
  void SendKeptResults();
  void ReplyTo(const MessageReceived& event, Message reply);
  void SendToSession(const std::string& session_id, std::uint64_t request_id, Message message);
  void SendResult(const std::string& session_id, std::uint64_t request_id,
                  const v1::MeasureResult& result);
  void SendError(const Peer& peer, const std::string& session_id, std::uint64_t request_id,
                 const Status& status);
  // False if every session works.
  bool EvictSession();
  void AddLog(std::string text, std::string event, std::map<std::string, std::string> fields,
              bool is_detail = false);

  CoreConfig config_;
  Milliseconds now_{0};
  std::vector<Action> actions_;  // Of the step under way.
  std::map<std::string, Session> sessions_;
  std::uint64_t sessions_opened_ = 0;
  Leases leases_;
  std::uint64_t shared_epoch_ = 0;  // In which the worker counts all leases PER_JOB.
  std::vector<Applicant> applicants_;
  JobLedger jobs_;
  JobId last_job_ = 0;
  std::uint64_t last_arrival_ = 0;  // Of jobs and applicants.
  FairShare share_;
  Milliseconds queue_told_{0};
  KeptResults kept_;
  std::string kept_problem_;  // Why results do not outlive the daemon; empty if they do.
  std::optional<std::string> drain_reason_;
  struct Draining {
    std::string session_id;
    std::uint64_t request_id = 0;
    std::optional<std::string> reason;
  };
  std::vector<Draining> draining_;  // Being stored, oldest first.
  // For BoardStatus and Pong.
  std::uint64_t worker_progress_ = 0;
  std::map<v1::MeasureStatus, std::uint64_t> finished_;
  std::optional<double> temperature_celsius_;
  v1::Conditions conditions_;  // Of the latest measurement that had a canary.
  std::optional<Milliseconds> conditions_since_;
};

}  // namespace bitpilot::daemon
