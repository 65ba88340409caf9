#include "device_daemon/core/daemon_core.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "kernels/base/sha256.h"
#include "proto/validation.h"

namespace bitpilot::daemon {
namespace {

using BodyCase = v1::Envelope::BodyCase;

constexpr std::size_t kBootBytesInSessionId = 8;

bool NeedsLease(BodyCase body) {
  switch (body) {
    case BodyCase::kArtifactQuery:
    case BodyCase::kArtifactChunk:
    case BodyCase::kInferRequest:
    case BodyCase::kMeasureRequest:
    case BodyCase::kMeasureCancel:
      return true;
    default:
      return false;
  }
}

ArtifactRequest ArtifactRequestOf(const MessageReceived& event, const std::string& sha256) {
  const v1::Envelope& envelope = event.message.envelope;
  return {event.peer, envelope.session_id(), envelope.request_id(), sha256};
}

}  // namespace

DaemonCore::DaemonCore(CoreConfig config)
    : config_(std::move(config)), leases_(config_.last_epoch), drain_reason_(config_.drain_reason) {
  BITPILOT_CHECK(config_.boot_id.size() == kSessionIdBytes);
  const std::string measurer = MeasurerOf(config_.capabilities);
  std::size_t dropped = 0;
  for (v1::KeptResult& kept : config_.kept_results) {
    if (!kept_.Load(std::move(kept), measurer, now_)) ++dropped;
  }
  config_.kept_results.clear();
  if (dropped == 0) return;
  AddLog(
      "dropped results that no agent had fetched, and that were measured by other builds, under "
      "another system or governor, or by another board: " +
          std::to_string(dropped),
      "results_dropped", {{"count", std::to_string(dropped)}});
}

std::vector<Action> DaemonCore::Step(const Event& event, Milliseconds now) {
  BITPILOT_CHECK(now >= now_);
  now_ = now;
  ExpireLeases();
  std::visit([this](const auto& one) { On(one); }, event);
  kept_.Expire(now_);
  StoreKeptResults();  // Before the next measurement begins.
  Advance();
  EndLeasesOfADrainedBoard();
  TellWhoWaits();
  SendKeptResults();
  return std::exchange(actions_, {});
}

std::optional<Milliseconds> DaemonCore::NextDeadline() const {
  std::optional<Milliseconds> next = kept_.NextDeadline(!is_measuring());
  const auto consider = [&](Milliseconds when) { next = std::min(next.value_or(when), when); };
  const Job* running = jobs_.running();
  if (running != nullptr && !running->stop_reason) {
    consider(running->started + running->limit);
    consider(running->last_progress + running->silence);
  }
  const auto expiry = leases_.NextExpiry(
      [this](const std::string& session_id) { return !jobs_.HasJobsOf(session_id); });
  if (expiry) consider(*expiry);
  for (const Job& job : jobs_.waiting()) {
    if (WaitsForOthers(job)) consider(queue_told_ + kQueueWord);
  }
  return next;
}

void DaemonCore::On(const FramesRefused& event) { SendError(event.peer, "", 0, event.reason); }

void DaemonCore::On(const MessageReceived& event) {
  const v1::Envelope& envelope = event.message.envelope;
  if (event.peer.user_id.empty()) {
    AddLog("dropped a message of a peer that did not authenticate", "message_dropped", {});
    return;
  }
  Status status;
  if (envelope.body_case() == BodyCase::kHello) {
    status = ValidateRequest(event.message);
    if (status.ok()) return OpenSession(event);
  } else {
    status = CheckSession(event);
    if (status.ok()) status = ValidateRequest(event.message);
    if (status.ok()) status = Dispatch(event);
  }
  if (!status.ok()) {
    SendError(event.peer, envelope.session_id(), envelope.request_id(), status);
  }
}

void DaemonCore::OpenSession(const MessageReceived& event) {
  const v1::Hello& hello = event.message.envelope.hello();
  if (hello.protocol_major() != kProtocolMajor) {
    SendError(
        event.peer, "", event.message.envelope.request_id(),
        {StatusCode::kVersionMismatch,
         "this daemon speaks protocol version " + std::to_string(kProtocolMajor) + ", the agent (" +
             hello.agent_build() + ") " + std::to_string(hello.protocol_major())});
    return;
  }
  if (sessions_.size() >= kMaxSessions && !EvictSession()) {
    SendError(event.peer, "", event.message.envelope.request_id(),
              {StatusCode::kResourceExhausted,
               "this board serves " + std::to_string(kMaxSessions) +
                   " sessions at a time, and all of them hold leases; ask again later"});
    return;
  }
  // Unique in this boot by the counter and across boots by the boot's random bytes. It need not be
  // secret: a session also belongs to one authenticated user.
  const std::uint64_t number = ++sessions_opened_;
  std::string id = config_.boot_id.substr(0, kBootBytesInSessionId);
  id.append(reinterpret_cast<const char*>(&number), sizeof number);
  sessions_[id] = {event.peer.user_id, event.peer.routing_id, event.message.envelope.request_id(),
                   now_};
  Message reply;
  v1::HelloAck& ack = *reply.envelope.mutable_hello_ack();
  ack.set_protocol_major(kProtocolMajor);
  ack.set_session_id(id);
  ack.set_boot_id(config_.boot_id);
  *ack.mutable_capabilities() = config_.capabilities;
  ack.set_max_frame_bytes(kMaxRawBytes);
  ack.set_protocol_minor(kProtocolMinor);
  *ack.mutable_limits() = config_.limits;
  ack.mutable_limits()->set_max_networks(kMaxNetworksPerMeasure);
  ack.set_role(event.peer.role);
  SendToSession(id, event.message.envelope.request_id(), std::move(reply));
}

// Finds the session, learns its present routing id and renews its lease.
Status DaemonCore::CheckSession(const MessageReceived& event) {
  const v1::Envelope& envelope = event.message.envelope;
  const auto found = sessions_.find(envelope.session_id());
  if (found == sessions_.end() || found->second.user_id != event.peer.user_id) {
    return {StatusCode::kNotFound, "no such session; say Hello again"};
  }
  Session& session = found->second;
  // That says nothing of what it asks for: an agent that still waits for its answer begins anew.
  if (envelope.request_id() <= session.last_request_id) {
    return {StatusCode::kAborted,
            "request_id must be above " + std::to_string(session.last_request_id) + ", got " +
                std::to_string(envelope.request_id()) + ": it came late or twice"};
  }
  session.last_request_id = envelope.request_id();
  session.routing_id = event.peer.routing_id;
  session.last_seen = now_;
  leases_.Renew(envelope.session_id(), now_);
  return {};
}

Status DaemonCore::CheckRole(const MessageReceived& event) const {
  switch (event.message.envelope.body_case()) {
    case BodyCase::kPing:
    case BodyCase::kBoardStatusRequest:
      return {};
    case BodyCase::kDrainRequest:
      if (event.peer.role == v1::ADMIN) return {};
      return {StatusCode::kPermissionDenied,
              "this key may not drain the board; write admin behind it in authorized_agents"};
    default:
      if (event.peer.role != v1::OBSERVER) return {};
      return {
          StatusCode::kPermissionDenied,
          "this key is an observer's, which only looks; take the word observer from its line in "
          "authorized_agents"};
  }
}

Status DaemonCore::Dispatch(const MessageReceived& event) {
  const v1::Envelope& envelope = event.message.envelope;
  BITPILOT_RETURN_IF_ERROR(CheckRole(event));
  if (envelope.has_measure_request() && AnswerKnownMeasurement(event)) return {};
  if (NeedsLease(envelope.body_case())) BITPILOT_RETURN_IF_ERROR(CheckLease(envelope));
  switch (envelope.body_case()) {
    case BodyCase::kLeaseRequest:
      RequestLease(event);
      return {};
    case BodyCase::kLeaseRelease:
      ReleaseLease(envelope);
      return {};
    case BodyCase::kArtifactQuery:
      actions_.push_back(
          PrepareArtifact{ArtifactRequestOf(event, envelope.artifact_query().sha256()),
                          envelope.artifact_query().total_bytes()});
      return {};
    case BodyCase::kArtifactChunk:
      actions_.push_back(
          AppendArtifact{ArtifactRequestOf(event, envelope.artifact_chunk().sha256()),
                         envelope.artifact_chunk().offset(), event.message.raw});
      return {};
    case BodyCase::kInferRequest:
      return StartInfer(event);
    case BodyCase::kMeasureRequest:
      return StartMeasure(event);
    case BodyCase::kMeasureCancel:
      return CancelMeasure(event);
    case BodyCase::kResultAck:
      AcknowledgeResult(envelope.result_ack().measure_id(), event.peer.user_id);
      return {};
    case BodyCase::kPing:
      AnswerPing(event);
      return {};
    case BodyCase::kBoardStatusRequest:
      AnswerStatus(event);
      return {};
    case BodyCase::kDrainRequest:
      return Drain(event);
    default:
      return InvalidArgument("unexpected " + std::string(BodyName(envelope.body_case())));
  }
}

void DaemonCore::On(const ArtifactAnswered& event) {
  const ArtifactRequest& request = event.request;
  if (!event.state.ok()) {
    Message reply;
    *reply.envelope.mutable_error() = ToProto(event.state.status());
    return SendToSession(request.session_id, request.request_id, std::move(reply));
  }
  Message reply;
  v1::ArtifactStatus& status = *reply.envelope.mutable_artifact_status();
  status.set_sha256(request.sha256);
  status.set_have_bytes(event.state->have_bytes);
  status.set_complete(event.state->complete);
  SendToSession(request.session_id, request.request_id, std::move(reply));
}

void DaemonCore::On(const AgentsReplaced& event) {
  std::set<std::string> listed;
  std::set<std::string> workers;  // Who may have leases and jobs.
  for (const auto& [user_id, role] : event.roles) {
    listed.insert(user_id);
    if (role != v1::OBSERVER) workers.insert(user_id);
  }
  std::vector<std::string> ended;
  for (const auto& [id, session] : sessions_) {
    if (!listed.contains(session.user_id)) ended.push_back(id);
    if (!workers.contains(session.user_id)) {
      leases_.Release(id);
      std::erase_if(applicants_,
                    [&id = id](const Applicant& one) { return one.holder.session_id == id; });
    }
  }
  for (const std::string& id : ended) sessions_.erase(id);
  if (!ended.empty()) {
    AddLog("ended " + std::to_string(ended.size()) +
               " sessions of agents that are not authorized any more",
           "sessions_ended", {{"sessions", std::to_string(ended.size())}});
  }
  // Jobs outlive their session, so they are asked for their user.
  jobs_.KeepUsers(workers);
  kept_.KeepUsers(workers);
  share_.KeepUsers(workers);
  Job* running = jobs_.running();
  if (running != nullptr && !workers.contains(running->user_id)) {
    running->is_revoked = true;
    StopRunning(v1::CANCELLED);
  }
}

void DaemonCore::ReplyTo(const MessageReceived& event, Message reply) {
  SendToSession(event.message.envelope.session_id(), event.message.envelope.request_id(),
                std::move(reply));
}

void DaemonCore::SendToSession(const std::string& session_id, std::uint64_t request_id,
                               Message message) {
  const auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return;
  message.envelope.set_session_id(session_id);
  message.envelope.set_request_id(request_id);
  if (const Lease* lease = leases_.Find(session_id)) message.envelope.set_lease_epoch(lease->epoch);
  actions_.push_back(Send{found->second.routing_id, std::move(message)});
}

void DaemonCore::SendError(const Peer& peer, const std::string& session_id,
                           std::uint64_t request_id, const Status& status) {
  Message message;
  message.envelope.set_session_id(session_id);
  message.envelope.set_request_id(request_id);
  *message.envelope.mutable_error() = ToProto(status);
  actions_.push_back(Send{peer.routing_id, std::move(message)});
}

// The session that was silent for longest makes room, but none that holds or awaits a lease.
bool DaemonCore::EvictSession() {
  auto oldest = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    const bool waits = std::any_of(
        applicants_.begin(), applicants_.end(),
        [&](const Applicant& one) { return one.is_told && one.holder.session_id == it->first; });
    if (waits || leases_.Find(it->first) != nullptr || jobs_.HasJobsOf(it->first)) continue;
    if (oldest == sessions_.end() || it->second.last_seen < oldest->second.last_seen) oldest = it;
  }
  if (oldest == sessions_.end()) return false;
  std::erase_if(applicants_,
                [&](const Applicant& one) { return one.holder.session_id == oldest->first; });
  leases_.Release(oldest->first);
  sessions_.erase(oldest);
  return true;
}

void DaemonCore::StoreKeptResults() {
  if (is_measuring()) return;
  for (std::string& measure_id : kept_.TakeDroppedFromDisk()) {
    actions_.push_back(DropResult{std::move(measure_id)});
  }
  for (std::string& measure_id : kept_.TakeDueToStore(now_)) {
    const v1::KeptResult* kept = kept_.Find(measure_id);
    actions_.push_back(StoreResult{std::move(measure_id), *kept});
  }
}

// Another session of the same user does not know it and would acknowledge it as nobody's.
void DaemonCore::SendKeptResults() {
  for (const std::string& measure_id : kept_.TakeDueToSend(now_)) {
    SendResult(kept_.SessionOf(measure_id), 0, kept_.Find(measure_id)->result());
  }
}

void DaemonCore::On(const ResultNotSent& event) { kept_.NoteNotSent(event.measure_id, now_); }

void DaemonCore::On(const ResultStored& event) {
  if (event.status.ok()) {
    kept_problem_.clear();
    return;
  }
  if (kept_problem_.empty()) {
    AddLog("results are kept in memory only: " + event.status.message(), "results_not_stored",
           {{"reason", event.status.message()}});
  }
  kept_problem_ = event.status.message();
}

void DaemonCore::SendResult(const std::string& session_id, std::uint64_t request_id,
                            const v1::MeasureResult& result) {
  Message message;
  *message.envelope.mutable_measure_result() = result;
  SendToSession(session_id, request_id, std::move(message));
}

void DaemonCore::AddLog(std::string text, std::string event,
                        std::map<std::string, std::string> fields, bool is_detail) {
  actions_.push_back(Log{std::move(text), std::move(event), std::move(fields), is_detail});
}

}  // namespace bitpilot::daemon
