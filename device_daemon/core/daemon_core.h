// DaemonCore: the daemon's side of the protocol as a pure state machine, Step(event, now) ->
// actions.
//
// No sockets, clocks, threads, files or random numbers inside, so that tests and simulators can
// drive it through any history. The rules:
//
//   Sessions   Hello opens one. Its messages must come from the user who opened it and count
//              request_id upward.
//   Lease      At most one session holds it; its epoch is stored before it is granted and every
//              later request must carry it. Any message of the holder renews it, and it does not
//              expire while the holder's job runs. A session that loses it keeps its running job;
//              the result waits for it.
//   Artifacts  Uploaded in order by the lease holder; the store checks them.
//   Jobs       One runs, one measurement may wait. A measurement is run at most once for its
//              measure_id: asked again it is answered from the running job or from the ring of
//              finished results.
//   Time       A job may run for its request's deadline_ms, counted from its start (waiting does
//              not count, neither for another job nor for another daemon, for which it waits an
//              hour at most). Without one a
//              measurement may take three times what is usual or, once the worker has timed its
//              networks, what that foretells; an inference takes what it takes. Every job is
//              stopped when the worker shows no sign of life for longer than it announced, or for
//              kStallLimit.
//   Errors     Whatever is wrong with a message is answered with an Error that carries its
//              request_id; nothing that a peer sends ends the daemon.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "device_daemon/core/daemon_events.h"
#include "device_daemon/core/job_ledger.h"
#include "device_daemon/core/lease.h"
#include "proto/validation.h"

namespace bitpilot::daemon {

struct CoreConfig {
  std::string boot_id;  // 16 random bytes, new at every start.
  std::uint64_t last_epoch = 0;
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

 private:
  struct Session {
    std::string user_id;
    std::string routing_id;  // Of its latest message: a reconnected peer has a new one.
    std::uint64_t last_request_id = 0;
    Milliseconds last_seen{0};
  };

  void On(const MessageReceived& event);
  void On(const FramesRefused& event);
  void On(const EpochStored& event);
  void On(const ArtifactAnswered& event);
  void On(const AgentsReplaced& event);
  void On(const WorkerProgressed& event);
  void On(const WorkerAnswered& event);
  void On(const WorkerFailed& event);
  void On(const TimePassed& event);

  void OpenSession(const MessageReceived& event);
  Status CheckSession(const MessageReceived& event);
  Status Dispatch(const MessageReceived& event);
  Status CheckLease(const v1::Envelope& envelope) const;
  Status RequestLease(const MessageReceived& event);
  void ReleaseLease(const v1::Envelope& envelope);
  Status StartInfer(const MessageReceived& event);
  Status StartMeasure(const MessageReceived& event);
  bool AnswerKnownMeasurement(const MessageReceived& event, const std::string& fingerprint);
  Status CancelMeasure(const MessageReceived& event);
  void AnswerPing(const MessageReceived& event);

  Milliseconds TypicalDuration(const v1::MeasureRequest& request) const;
  Milliseconds LimitOf(const v1::Envelope& envelope) const;
  // What a measurement that runs or waits still takes.
  Milliseconds RemainingOf(const Job& job) const;
  // Forgets the networks that the worker found damaged; takes those that `job` does not name out of
  // the reply.
  void DropDamaged(const Job& job, Message& reply);
  Job MakeJob(const MessageReceived& event, std::string fingerprint);
  void StartNextJob();
  void StopRunning(v1::MeasureStatus reason);
  void FinishWithStatus(const Job& job, v1::MeasureStatus status, const std::string& detail);
  void FinishWithResult(const Job& job, v1::MeasureResult result);
  void KeepLeaseOfRunningJob();

  void ReplyTo(const MessageReceived& event, Message reply);
  void SendToSession(const std::string& session_id, std::uint64_t request_id, Message message);
  void SendError(const Peer& peer, const std::string& session_id, std::uint64_t request_id,
                 const Status& status);
  void EvictSession();
  void EndSession(const std::string& session_id);

  CoreConfig config_;
  Milliseconds now_{0};
  std::vector<Action> actions_;  // Of the step under way.
  std::map<std::string, Session> sessions_;
  std::uint64_t sessions_opened_ = 0;
  Lease lease_;
  std::uint64_t lease_request_id_ = 0;  // Of the reservation.
  JobLedger jobs_;
  JobId last_job_ = 0;
};

}  // namespace bitpilot::daemon
