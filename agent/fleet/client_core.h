// ClientCore: the agent's side of the protocol with one board, as a pure state machine.
//
//   Step(event, now) -> actions
//
// No sockets, clocks, threads or randomness inside: every input is an event with the time at which
// it happened, every effect is an action that the caller carries out, so that a simulator can drive
// it through any order of losses, duplicates and reboots (tests/agent/fleet_simulation_test.cc).
//
// A session: link up, Hello, HelloAck, LeaseRequest, LeaseGrant; then jobs, one at a time, in the
// order submitted. Rules:
//   - A request that is not answered in its time breaks the link. So do five unanswered pings. The
//     core then opens a new one, with growing pauses, and takes up its session and lease again. A
//     board that was restarted does not know the session: Hello, lease and uploads begin anew. What
//     was under way is sent again (FleetJob); a measurement keeps its id, so no daemon runs it
//     twice.
//   - Pings flow every 2 s, except while the board measures: then silence is right, for at most
//     three times as long as the board announced (15 s at least). Progress extends that, each time
//     by as long as the board says that it may be silent: one that advances is slow, not lost, and
//     ends what hangs itself. So with an inference while the board answers pings that it infers.
//   - Networks are uploaded in chunks. A link that is lost meanwhile is perhaps too slow for large ones:
//     the next are an eighth; answered at once, they grow again.
//   - A result is acknowledged once whoever submitted its job says that it is recorded
//     (ResultRecorded), never before: the board keeps it until then. So with a cancelled job, which
//     is recorded as given up. A result that is known from nowhere is a late copy of such a one.
//     Acknowledgements wait while the board measures.
//   - A job that is cancelled while the board is away is cancelled there when the board is back.
//   - The lease is a reservation, by which the board is this agent's alone, or of one job at a time
//     (LeaseTerms): then agents share the board, jobs wait there for their turn, and no wait for other
//     agents ends a job. An older bitpilotd knows reservations only; it is asked for one then.
//   - A board that comes back as another one (instruction set, kernels, backend) fails for good:
//     its numbers must not be mixed with the earlier ones. One that differs in less (governor, system,
//     daemon build) is told as ready again, before it goes on with its job.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/fleet_job.h"
#include "kernels/base/status.h"
#include "proto/framing.h"

namespace bitpilot {

// A reading of any monotonic clock.
using Instant = std::chrono::milliseconds;

// A wait without an end, as a duration that still can be added to a time.
inline constexpr std::chrono::milliseconds kForever = std::chrono::hours{24 * 365 * 100};

// The waits may be kForever: then absence never fails the board.
struct ClientOptions {
  std::string board_name;  // for messages, with the endpoint
  std::string endpoint;
  std::string agent_build;
  std::string agent_public_key;  // for messages: what a board that refuses it lacks
  std::string holder;            // what others see who ask for the lease
  LeaseTerms lease;
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds reconnect_timeout{60'000};
  std::chrono::milliseconds lease_wait{0};
  std::uint64_t jitter_seed = 0;  // spreads the reconnections of many agents
};

// ---- Events
struct Started {};
// Where the board is must be asked for, and then is known: only from there on does the time count that a
// link has for coming up. Of a place that is known neither happens.
struct LinkLocating {};
struct LinkLocated {};
struct LinkUp {};  // connected and authenticated
struct LinkDown {
  std::string reason;
};
// The encrypted handshake failed. by_daemon: its allow-list refused our key; otherwise the two
// sides do not understand each other, as with a wrong public key of the daemon; or nobody is there
// behind a port that is forwarded, or the daemon died meanwhile. So the board is asked again, and only
// where it was never reached within connect_timeout it fails, with kPermissionDenied.
struct LinkRefused {
  bool by_daemon = false;
};
// No link can be opened any more (the local daemon cannot be started again).
struct LinkImpossible {
  Status status;
};
struct MessageReceived {
  Message message;
};
// Frames that DecodeMessage() refused.
struct GarbageReceived {
  Status status;
};
struct JobSubmitted {
  JobRequest request;
};
struct JobCancelled {  // ResultRecorded follows, unless nobody cares what its board does with it
  JobId id = 0;
};
// The result of this id is where it cannot get lost any more.
struct ResultRecorded {
  std::string measure_id;
};
struct CloseRequested {};
struct TimePassed {};
using ClientEvent = std::variant<Started, LinkLocating, LinkLocated, LinkUp, LinkDown, LinkRefused,
                                 LinkImpossible, MessageReceived, GarbageReceived, JobSubmitted,
                                 JobCancelled, ResultRecorded, CloseRequested, TimePassed>;

// ---- Actions
struct OpenLink {};  // a new one; LinkUp, LinkDown or LinkRefused follows
struct CloseLink {};
struct SendMessage {
  Message message;
};
// When the first lease is granted, and when a later one is of a board whose fingerprint differs
// (FingerprintOf(), agent/fleet/board_conditions.h).
struct BoardReady {
  BoardInfo info;
};
struct BoardFailed {  // for good; every job has finished, later ones finish at once
  Status status;
};
// Why there is no lease. A board that says no works: only one that does not answer may need help.
enum class Absence {
  kNoAnswer,     // the link was lost
  kHeldByOther,  // another agent has it
  kDrained,      // it takes no new work: an operator drained it, or its daemon ends
  kRefused,      // for a reason that this agent does not know
};
// There is no lease any more, or none yet. Jobs stay and go on when the board is back.
struct BoardAway {
  std::string why;  // how the link was lost, the holder, the reason for the drain, what it said
  Absence absence = Absence::kNoAnswer;
};
struct BoardBack {  // there is a lease, the first one included
  // Of this agent's key: what the board measures, or has a result of that nobody has acknowledged. An
  // earlier run of the agent may have asked for it. None of an older bitpilotd.
  std::vector<std::string> known_measure_ids;
};
// For whoever waits: the board is away since three seconds and how long it may stay so, or it came
// back from such an absence; or its measurement takes minutes.
struct BoardNotice {
  std::string text;
  std::string group = {};  // fleet::Notice's
};
struct JobFinished {
  JobResult result;
  std::string measure_id;  // empty for an inference
};
struct Closed {};
using ClientAction = std::variant<OpenLink, CloseLink, SendMessage, BoardReady, BoardFailed,
                                  BoardAway, BoardBack, BoardNotice, JobFinished, Closed>;

class ClientCore {
 public:
  // Ids of results to acknowledge and of jobs to cancel that are kept for a board that is away; the
  // oldest are dropped then, as the board itself drops results.
  static constexpr std::size_t kMaxOwedIds = 64;

  explicit ClientCore(ClientOptions options);

  // REQUIRES: `now` never goes back; the first event is Started.
  std::vector<ClientAction> Step(ClientEvent event, Instant now);

  // When TimePassed is due if nothing else happens before; nothing is due in the end states.
  std::optional<Instant> NextWakeup() const;

  // How the board is called in messages: "board 'rpi5-a' at tcp://192.0.2.7:7777".
  std::string BoardLabel() const;

  // While the board is this agent's alone: other agents wait until it is given back.
  bool has_reservation() const { return phase_ == Phase::kReady && has_reservation_; }

 private:
  enum class Phase {
    kNew,
    kPausing,
    kLocating,
    kConnecting,
    kGreeting,
    kLeasing,
    kHeld,
    kReady,
    kClosing,
    kEnded
  };

  // One overload an event.
  void Handle(Started&);
  void Handle(LinkLocating&);
  void Handle(LinkLocated&);
  void Handle(LinkUp&);
  void Handle(LinkDown& event) { LoseSession(event.reason); }
  void Handle(LinkRefused& event);
  void Handle(LinkImpossible& event) { FailBoard(event.status); }
  void Handle(MessageReceived& event);
  void Handle(GarbageReceived& event);
  void Handle(JobSubmitted& event);
  void Handle(JobCancelled& event);
  void Handle(ResultRecorded& event);
  void Handle(CloseRequested&);
  void Handle(TimePassed&) {}

  void OnHelloAck(const v1::HelloAck& ack);
  void OnLeaseGrant(const v1::LeaseGrant& grant);
  void OnLeaseDenied(const v1::LeaseDenied& denied);
  void OnMeasureResult(const Message& message, const Status& validity);
  void OnMeasureProgress(const v1::MeasureProgress& progress);
  void OnPong(const v1::Pong& pong);
  // Tells once of a job that so many others go before.
  void NoticeQueue(std::uint32_t position);
  // The same of a board that another agent has reserved. by: empty if nobody has.
  void NoticeReservation(const std::string& by);
  void OnReplyToJob(const Message& message);
  void OnErrorOfSession(const v1::Envelope& envelope);

  void RunTimers();
  void RunReadyTimers();
  void SendNextJobRequest();
  static void Owe(std::deque<std::string>& ids, const std::string& measure_id);
  void SendWhatIsOwed();
  void FinishJobIfDone();

  void OpenNewLink();
  void SayHello();
  void AskForLease();
  void EnterPhase(Phase phase, std::chrono::milliseconds limit);
  void LoseSession(const std::string& reason);
  void FailBoard(const Status& status);
  void End();
  // Fills in session, lease and request id.
  void Send(Message message);

  bool JobWaitsToSend() const;
  Instant GiveUpAt() const;
  std::optional<Instant> NoticeAt() const;
  void NoticeAbsence();
  void EndAbsence();
  bool held_by_other() const { return absence_ == Absence::kHeldByOther; }
  // For whoever knows which board it is.
  std::string WhyAway() const;
  std::string DescribeAbsence() const;
  Status AwayStatus() const;

  const ClientOptions options_;
  Phase phase_ = Phase::kNew;
  Instant now_{0};
  Instant phase_deadline_{0};
  std::vector<ClientAction> actions_;
  Status failure_;

  // The session.
  std::string session_id_;
  bool resumes_session_ = false;  // of an earlier connection
  std::uint64_t lease_epoch_ = 0;
  bool knows_lease_kinds_ = false;
  bool has_reservation_ = false;
  std::uint64_t last_request_id_ = 0;
  FrameLimits limits_;
  Instant asked_at_{0};  // the job's last request
  Instant next_ping_{0};
  std::uint64_t last_ping_id_ = 0;
  int unanswered_pings_ = 0;

  // Across sessions.
  std::optional<BoardInfo> info_;  // of the last session
  std::string told_fingerprint_;   // of the last BoardReady
  bool was_ready_ = false;
  std::optional<Instant> away_since_;  // no lease since then
  bool away_noticed_ = false;          // a notice said so
  bool turn_noticed_ = false;          // once is enough, however often it waits
  bool windows_noticed_ = false;       // a notice said that it measures in no longer windows
  bool queue_noticed_ = false;         // a notice said that the first job waits for other agents
  bool reservation_noticed_ = false;   // a notice said that jobs wait for a reservation's end
  // How the link was lost; the holder, if the board named one; the reason of an operator, if one was
  // given; what an unknown reason is called.
  std::string last_loss_;
  Absence absence_ = Absence::kNoAnswer;
  std::uint32_t queue_position_ = 0;  // of the reservation that was asked for; 0: not said
  bool handshake_failed_ = false;     // the last time that something answered
  std::chrono::milliseconds pause_;   // before the next link
  std::uint64_t jitter_state_;

  // Jobs; the first one is under way.
  std::deque<FleetJob> jobs_;
  std::uint64_t awaited_request_id_ = 0;  // of the first job's request; 0 = none is out
  Instant reply_deadline_{0};
  bool eta_noticed_ = false;  // a notice said that the first job takes long
  Instant resume_at_{0};      // a busy board is asked again then

  // Measure ids.
  std::set<std::string> unrecorded_;  // of jobs that finished, or were cancelled
  std::deque<std::string> recorded_;  // to acknowledge
  std::deque<std::string>
      abandoned_;  // to cancel: their jobs were cancelled while the board was away
};

}  // namespace bitpilot
