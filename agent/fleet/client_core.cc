#include "agent/fleet/client_core.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "agent/fleet/board_conditions.h"
#include "agent/fleet/link_refusal.h"
#include "kernels/base/check.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

using std::chrono::milliseconds;

// A name service that is far or dead, and a queue of names before this one.
constexpr milliseconds kLocateLimit{60'000};
constexpr milliseconds kConnectLimit{2000};
constexpr milliseconds kHelloLimit{5000};
constexpr milliseconds kLeaseLimit{5000};
constexpr milliseconds kCloseLimit{500};
constexpr std::uint32_t kLeaseTtlMs = 30'000;
static_assert(kMaxLeasePriority == kMaxPriority);

constexpr milliseconds kPingInterval{2000};
constexpr int kMaxUnansweredPings = 5;

constexpr milliseconds kArtifactLimit{10'000};
constexpr std::size_t kLeastChunkBytes = 4096;
constexpr milliseconds kAcceptLimit{5000};
// Beyond the last pong that said that the board infers.
constexpr milliseconds kInferLimit{30'000};
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{5000};

milliseconds ReplyLimit(v1::Envelope::BodyCase request) {
  switch (request) {
    case v1::Envelope::kInferRequest:
      return kInferLimit;
    case v1::Envelope::kMeasureRequest:
      return kAcceptLimit;
    default:
      return kArtifactLimit;
  }
}

// `pause` +- 20 %, so that the agents of a lab do not all return at once after a power cut.
milliseconds Jitter(milliseconds pause, std::uint64_t* state) {
  *state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
  const auto permille = static_cast<std::int64_t>((*state >> 33) % 401) + 800;
  return pause * permille / 1000;
}

}  // namespace

ClientCore::ClientCore(ClientOptions options)
    : options_(std::move(options)), pause_(kFirstPause), jitter_state_(options_.jitter_seed) {}

std::vector<ClientAction> ClientCore::Step(ClientEvent event, Instant now) {
  BITPILOT_CHECK(now >= now_);
  now_ = now;
  actions_.clear();
  std::visit([this](auto& e) { Handle(e); }, event);
  RunTimers();
  SendWhatIsOwed();
  SendNextJobRequest();
  return std::move(actions_);
}

std::optional<Instant> ClientCore::NextWakeup() const {
  if (phase_ == Phase::kNew || phase_ == Phase::kEnded) return std::nullopt;
  if (phase_ == Phase::kClosing) return phase_deadline_;
  if (phase_ != Phase::kReady) {
    const Instant wakeup = std::min(phase_deadline_, GiveUpAt());
    return std::min(wakeup, NoticeAt().value_or(wakeup));
  }
  const bool measuring = !jobs_.empty() && jobs_.front().measuring();
  if (measuring) return reply_deadline_;
  Instant wakeup = next_ping_;
  if (awaited_request_id_ != 0) wakeup = std::min(wakeup, reply_deadline_);
  if (JobWaitsToSend()) wakeup = std::min(wakeup, resume_at_);
  return wakeup;
}

// ---- Events

void ClientCore::Handle(Started&) {
  BITPILOT_CHECK(phase_ == Phase::kNew);
  away_since_ = now_;
  OpenNewLink();
}

void ClientCore::Handle(LinkLocating&) {
  if (phase_ != Phase::kConnecting) return;
  EnterPhase(Phase::kLocating, kLocateLimit);
  if (last_loss_.empty()) last_loss_ = "where it is, is still being looked up";
}

void ClientCore::Handle(LinkLocated&) {
  if (phase_ == Phase::kLocating) EnterPhase(Phase::kConnecting, kConnectLimit);
}

void ClientCore::Handle(LinkUp&) {
  if (phase_ != Phase::kConnecting) return;
  handshake_failed_ = false;
  if (session_id_.empty()) {
    SayHello();
  } else {
    resumes_session_ = true;
    AskForLease();
  }
}

void ClientCore::Handle(LinkRefused& event) {
  if (event.by_daemon) {
    FailBoard(AgentNotAuthorized(BoardLabel(), options_.agent_public_key));
  } else {
    handshake_failed_ = true;
    LoseSession(was_ready_ ? "the encrypted handshake failed"
                           : "the encrypted handshake failed: bitpilotd does not run there yet, or "
                             "its public key is not the one given");
  }
}

void ClientCore::Handle(JobSubmitted& event) {
  FleetJob job(std::move(event.request));
  if (phase_ == Phase::kEnded) {
    job.Fail(failure_);
    actions_.emplace_back(JobFinished{job.TakeResult(), job.measure_id()});
    return;
  }
  unrecorded_.erase(job.measure_id());  // it is wanted again
  jobs_.push_back(std::move(job));
}

void ClientCore::Handle(JobCancelled& event) {
  const auto found = std::find_if(jobs_.begin(), jobs_.end(),
                                  [&](const FleetJob& job) { return job.id() == event.id; });
  if (found == jobs_.end()) return;
  if (found == jobs_.begin()) awaited_request_id_ = 0;
  if (found->was_asked_for()) {
    Owe(abandoned_, found->measure_id());
    unrecorded_.insert(found->measure_id());
  }
  jobs_.erase(found);
}

void ClientCore::Handle(ResultRecorded& event) {
  if (unrecorded_.erase(event.measure_id) == 0) return;
  Owe(recorded_, event.measure_id);
}

void ClientCore::Handle(CloseRequested&) {
  if (phase_ == Phase::kEnded) {
    actions_.emplace_back(Closed{});
    return;
  }
  // Who waits for a reservation gives up its place, too.
  if (phase_ != Phase::kReady && phase_ != Phase::kHeld) return End();
  if (!jobs_.empty()) {
    JobCancelled cancelled{jobs_.front().id()};
    Handle(cancelled);
  }
  SendWhatIsOwed();
  Message release;
  release.envelope.mutable_lease_release();
  Send(std::move(release));
  EnterPhase(Phase::kClosing, kCloseLimit);
}

// ---- Time

void ClientCore::RunTimers() {
  if (phase_ == Phase::kNew || phase_ == Phase::kEnded) return;
  if (phase_ == Phase::kReady) return RunReadyTimers();
  if (phase_ != Phase::kClosing) {
    if (now_ >= GiveUpAt()) return FailBoard(AwayStatus());
    NoticeAbsence();
  }
  if (now_ < phase_deadline_) return;
  switch (phase_) {
    case Phase::kPausing:
      return OpenNewLink();
    case Phase::kLocating:
      return LoseSession("its name could not be looked up within 60 s");
    case Phase::kConnecting:
      return LoseSession("no word from a bitpilotd within 2 s");
    case Phase::kGreeting:
      return LoseSession("no answer to Hello within 5 s");
    case Phase::kLeasing:
      return LoseSession("no answer to the lease request within 5 s");
    case Phase::kHeld:
      return AskForLease();
    default:
      return End();
  }
}

void ClientCore::RunReadyTimers() {
  const bool measuring = !jobs_.empty() && jobs_.front().measuring();
  if ((measuring || awaited_request_id_ != 0) && now_ >= reply_deadline_) {
    return LoseSession(measuring ? "neither a result nor progress in time"
                                 : "no answer to a request in time");
  }
  if (measuring || now_ < next_ping_) return;
  if (unanswered_pings_ >= kMaxUnansweredPings)
    return LoseSession("five pings in a row unanswered");
  Message ping;
  ping.envelope.mutable_ping()->set_agent_time_ns(
      static_cast<std::uint64_t>(std::chrono::nanoseconds(now_).count()));
  Send(std::move(ping));
  last_ping_id_ = last_request_id_;
  ++unanswered_pings_;
  next_ping_ = now_ + kPingInterval;
}

// ---- Jobs

void ClientCore::Owe(std::deque<std::string>& ids, const std::string& measure_id) {
  ids.push_back(measure_id);
  if (ids.size() > kMaxOwedIds) ids.pop_front();
}

// A board that measures is not disturbed.
void ClientCore::SendWhatIsOwed() {
  if (phase_ != Phase::kReady || (!jobs_.empty() && jobs_.front().measuring())) return;
  for (const std::string& measure_id : std::exchange(abandoned_, {})) {
    Message cancel;
    cancel.envelope.mutable_measure_cancel()->set_measure_id(measure_id);
    Send(std::move(cancel));
  }
  for (const std::string& measure_id : std::exchange(recorded_, {})) {
    Message ack;
    ack.envelope.mutable_result_ack()->set_measure_id(measure_id);
    Send(std::move(ack));
  }
}

bool ClientCore::JobWaitsToSend() const {
  return phase_ == Phase::kReady && !jobs_.empty() && awaited_request_id_ == 0 &&
         !jobs_.front().measuring();
}

void ClientCore::SendNextJobRequest() {
  while (JobWaitsToSend() && now_ >= resume_at_) {
    Message request;
    if (jobs_.front().NextRequest(limits_, &request) == FleetJob::Next::kFinished) {
      FinishJobIfDone();
      continue;
    }
    asked_at_ = now_;
    reply_deadline_ = now_ + ReplyLimit(request.envelope.body_case());
    Send(std::move(request));
    awaited_request_id_ = last_request_id_;
  }
}

void ClientCore::FinishJobIfDone() {
  if (jobs_.empty() || !jobs_.front().finished()) return;
  if (jobs_.front().was_asked_for()) unrecorded_.insert(jobs_.front().measure_id());
  actions_.emplace_back(JobFinished{jobs_.front().TakeResult(), jobs_.front().measure_id()});
  jobs_.pop_front();
  awaited_request_id_ = 0;
  eta_noticed_ = queue_noticed_ = reservation_noticed_ = false;
  resume_at_ = now_;
  next_ping_ = now_ + kPingInterval;
}

// ---- Session

void ClientCore::OnLeaseGrant(const v1::LeaseGrant& grant) {
  lease_epoch_ = grant.epoch();
  has_reservation_ = grant.kind() != v1::LeaseRequest::PER_JOB;
  EndAbsence();
  pause_ = kFirstPause;
  unanswered_pings_ = 0;
  next_ping_ = now_ + kPingInterval;
  resume_at_ = now_;
  phase_ = Phase::kReady;
  NoticeReservation(grant.reserved_by());
  std::string fingerprint = FingerprintOf(*info_);
  if (fingerprint != told_fingerprint_) actions_.emplace_back(BoardReady{*info_});
  told_fingerprint_ = std::move(fingerprint);
  was_ready_ = true;
  const auto& known = grant.known_measure_ids();
  actions_.emplace_back(BoardBack{{known.begin(), known.end()}});
}

void ClientCore::OpenNewLink() {
  actions_.emplace_back(OpenLink{});
  EnterPhase(Phase::kConnecting, kConnectLimit);
}

void ClientCore::SayHello() {
  session_id_.clear();
  resumes_session_ = false;
  lease_epoch_ = 0;
  Message hello;
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  hello.envelope.mutable_hello()->set_agent_build(options_.agent_build);
  Send(std::move(hello));
  EnterPhase(Phase::kGreeting, kHelloLimit);
}

void ClientCore::AskForLease() {
  Message request;
  v1::LeaseRequest& lease = *request.envelope.mutable_lease_request();
  lease.set_ttl_ms(kLeaseTtlMs);
  lease.set_holder(options_.holder);
  if (knows_lease_kinds_) {
    lease.set_kind(options_.lease.kind == LeaseKind::kPerJob ? v1::LeaseRequest::PER_JOB
                                                             : v1::LeaseRequest::RESERVATION);
    lease.set_priority(options_.lease.priority);
  }
  Send(std::move(request));
  EnterPhase(Phase::kLeasing, kLeaseLimit);
}

void ClientCore::EnterPhase(Phase phase, milliseconds limit) {
  phase_ = phase;
  phase_deadline_ = now_ + limit;
}

void ClientCore::LoseSession(const std::string& reason) {
  if (phase_ == Phase::kNew || phase_ == Phase::kEnded || phase_ == Phase::kPausing) return;
  if (phase_ == Phase::kClosing) return End();
  const bool was_working = phase_ == Phase::kReady && !jobs_.empty();
  // A session that could not be taken up again is not tried twice. A new one is, or the lease that it
  // was perhaps given keeps us waiting for ourselves.
  if (phase_ == Phase::kLeasing && resumes_session_) session_id_.clear();
  last_loss_ = reason;
  absence_ = Absence::kNoAnswer;
  if (!away_since_.has_value()) away_since_ = now_;
  actions_.emplace_back(CloseLink{});
  actions_.emplace_back(BoardAway{reason, absence_});
  EnterPhase(Phase::kPausing, Jitter(pause_, &jitter_state_));
  pause_ = std::min(2 * pause_, kLongestPause);
  awaited_request_id_ = 0;
  if (was_working) {
    // A slow line takes longer for a whole chunk than a link may be silent.
    if (jobs_.front().uploading()) {
      limits_.chunk_bytes = std::max(limits_.chunk_bytes / 8, kLeastChunkBytes);
    }
    jobs_.front().OnSessionLost(reason);
    FinishJobIfDone();
  }
}

void ClientCore::FailBoard(const Status& status) {
  failure_ = status;
  End();
  actions_.emplace_back(BoardFailed{status});
}

void ClientCore::End() {
  if (phase_ == Phase::kEnded) return;
  const bool failed = !failure_.ok();
  if (!failed) {
    failure_ = Status(StatusCode::kAborted, "the connection to " + BoardLabel() + " was closed");
  }
  phase_ = Phase::kEnded;
  for (FleetJob& job : jobs_) {
    job.Fail(failure_);
    actions_.emplace_back(JobFinished{job.TakeResult(), job.measure_id()});
  }
  jobs_.clear();
  actions_.emplace_back(CloseLink{});
  if (!failed) actions_.emplace_back(Closed{});
}

void ClientCore::Send(Message message) {
  message.envelope.set_session_id(session_id_);
  message.envelope.set_lease_epoch(lease_epoch_);
  message.envelope.set_request_id(++last_request_id_);
  actions_.emplace_back(SendMessage{std::move(message)});
}

}  // namespace bitpilot
