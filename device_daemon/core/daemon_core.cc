#include "device_daemon/core/daemon_core.h"

#include <algorithm>
#include <cstring>
#include <utility>

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

DaemonCore::DaemonCore(CoreConfig config) : config_(std::move(config)), lease_(config_.last_epoch) {
  BITPILOT_CHECK(config_.boot_id.size() == kSessionIdBytes);
}

std::vector<Action> DaemonCore::Step(const Event& event, Milliseconds now) {
  BITPILOT_CHECK(now >= now_);
  now_ = now;
  KeepLeaseOfRunningJob();
  std::visit([this](const auto& one) { On(one); }, event);
  return std::exchange(actions_, {});
}

std::optional<Milliseconds> DaemonCore::NextDeadline() const {
  std::optional<Milliseconds> next;
  const auto consider = [&](Milliseconds when) { next = std::min(next.value_or(when), when); };
  const Job* running = jobs_.running();
  if (running != nullptr && !running->stop_reason) {
    consider(running->started + running->limit);
    consider(running->last_progress + running->silence);
  }
  if (lease_.has_holder() &&
      (running == nullptr || running->session_id != lease_.holder_session())) {
    consider(lease_.expires());
  }
  return next;
}

void DaemonCore::On(const FramesRefused& event) { SendError(event.peer, "", 0, event.reason); }

void DaemonCore::On(const MessageReceived& event) {
  const v1::Envelope& envelope = event.message.envelope;
  if (event.peer.user_id.empty()) {
    actions_.push_back(Log{"dropped a message of a peer that did not authenticate"});
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
  if (sessions_.size() >= kMaxSessions) EvictSession();
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
  if (envelope.request_id() <= session.last_request_id) {
    return InvalidArgument("request_id must be above " + std::to_string(session.last_request_id) +
                           ", got " + std::to_string(envelope.request_id()));
  }
  session.last_request_id = envelope.request_id();
  session.routing_id = event.peer.routing_id;
  session.last_seen = now_;
  if (lease_.IsHeldBy(envelope.session_id(), now_)) lease_.Renew(now_);
  return {};
}

Status DaemonCore::Dispatch(const MessageReceived& event) {
  const v1::Envelope& envelope = event.message.envelope;
  if (NeedsLease(envelope.body_case())) BITPILOT_RETURN_IF_ERROR(CheckLease(envelope));
  switch (envelope.body_case()) {
    case BodyCase::kLeaseRequest:
      return RequestLease(event);
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
      jobs_.Forget(envelope.result_ack().measure_id(), event.peer.user_id);
      return {};
    case BodyCase::kPing:
      AnswerPing(event);
      return {};
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
  std::vector<std::string> ended;
  for (const auto& [id, session] : sessions_) {
    if (!event.user_ids.contains(session.user_id)) ended.push_back(id);
  }
  for (const std::string& id : ended) EndSession(id);
  if (!ended.empty()) {
    actions_.push_back(Log{"ended " + std::to_string(ended.size()) +
                           " sessions of agents that are not authorized any more"});
  }
  // Jobs outlive their session, so they are asked for their user.
  jobs_.KeepUsers(event.user_ids);
  Job* running = jobs_.running();
  if (running != nullptr && !event.user_ids.contains(running->user_id)) {
    running->is_revoked = true;
    StopRunning(v1::CANCELLED);
  }
}

void DaemonCore::EndSession(const std::string& session_id) {
  if (lease_.IsReservedFor(session_id)) (void)lease_.CancelReservation();
  if (lease_.has_holder() && lease_.holder_session() == session_id) lease_.Release();
  sessions_.erase(session_id);
}

void DaemonCore::AnswerPing(const MessageReceived& event) {
  Message reply;
  v1::Pong& pong = *reply.envelope.mutable_pong();
  pong.set_agent_time_ns(event.message.envelope.ping().agent_time_ns());
  const Job* running = jobs_.running();
  if (running != nullptr) {
    pong.set_state(running->is_measurement() ? "TIMING" : "INFERRING");
  } else {
    pong.set_state(lease_.IsHeld(now_) ? "LEASED" : "READY");
  }
  ReplyTo(event, std::move(reply));
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
  if (lease_.IsHeldBy(session_id, now_)) message.envelope.set_lease_epoch(lease_.epoch());
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

// The session that was silent for longest makes room, but never the one that holds the lease.
void DaemonCore::EvictSession() {
  auto oldest = sessions_.end();
  for (auto it = sessions_.begin(); it != sessions_.end(); ++it) {
    if (lease_.IsHeldBy(it->first, now_)) continue;
    if (oldest == sessions_.end() || it->second.last_seen < oldest->second.last_seen) oldest = it;
  }
  sessions_.erase(oldest);
}

}  // namespace bitpilot::daemon
