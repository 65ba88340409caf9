#include "agent/fleet/board_inquiry.h"

#include <utility>
#include <variant>

#include "agent/fleet/link_refusal.h"
#include "agent/fleet/wire_conversion.h"
#include "kernels/base/check.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

constexpr std::uint32_t kMinorWithStatus = 3;

constexpr char kOlderDaemon[] =
    " runs an older bitpilotd, which neither tells what it does nor can be drained: update it";

}  // namespace

BoardInquiry::BoardInquiry(std::string label, std::string agent_build, std::string agent_public_key)
    : label_(std::move(label)),
      agent_build_(std::move(agent_build)),
      agent_public_key_(std::move(agent_public_key)) {}

std::vector<ClientAction> BoardInquiry::Ask(BoardQuestion question, Instant now) {
  BITPILOT_CHECK(now >= now_);
  now_ = now;
  question_ = std::move(question);
  said_hello_again_ = false;
  if (!is_linked_) {
    phase_ = Phase::kConnecting;
    actions_.emplace_back(OpenLink{});
  } else if (session_id_.empty()) {
    SayHello();
  } else {
    SendQuestion();
  }
  return std::exchange(actions_, {});
}

std::vector<ClientAction> BoardInquiry::Step(ClientEvent event, Instant now) {
  BITPILOT_CHECK(now >= now_);
  now_ = now;
  if (std::holds_alternative<LinkUp>(event)) {
    is_linked_ = true;
    session_id_.clear();
    if (is_asking()) SayHello();
  } else if (const auto* down = std::get_if<LinkDown>(&event)) {
    Lose({StatusCode::kUnavailable, label_ + " does not answer (" + down->reason + ")"});
  } else if (const auto* refused = std::get_if<LinkRefused>(&event)) {
    Handle(*refused);
  } else if (const auto* impossible = std::get_if<LinkImpossible>(&event)) {
    Lose(impossible->status.WithContext(label_));
  } else if (const auto* garbage = std::get_if<GarbageReceived>(&event)) {
    Lose(garbage->status.WithContext(label_ + " sent something unreadable"));
  } else if (const auto* received = std::get_if<MessageReceived>(&event)) {
    Handle(*received);
  }
  return std::exchange(actions_, {});
}

std::vector<ClientAction> BoardInquiry::GiveUp(const std::string& why) {
  if (is_asking()) Lose({StatusCode::kUnavailable, label_ + " does not answer (" + why + ")"});
  return std::exchange(actions_, {});
}

void BoardInquiry::Handle(const LinkRefused& event) {
  Lose(event.by_daemon ? AgentNotAuthorized(label_, agent_public_key_)
                       : HandshakeNotCompleted(label_));
}

void BoardInquiry::Handle(const MessageReceived& event) {
  const v1::Envelope& envelope = event.message.envelope;
  // Those of earlier questions, and what a daemon sends unasked.
  if (!is_asking() || envelope.request_id() != last_request_id_) return;
  const Status validity = ValidateReply(event.message);
  if (!validity.ok()) return Lose(validity.WithContext(label_ + " sent an invalid message"));
  switch (envelope.body_case()) {
    case v1::Envelope::kHelloAck:
      if (phase_ == Phase::kGreeting) OnHelloAck(envelope.hello_ack());
      return;
    case v1::Envelope::kBoardStatus:
      if (phase_ != Phase::kAsking) return;
      view_.board = envelope.board_status();
      return Answered();
    case v1::Envelope::kError:
      return OnError(envelope);
    default:
      return;
  }
}

void BoardInquiry::OnHelloAck(const v1::HelloAck& ack) {
  if (ack.protocol_major() != kProtocolMajor) {
    return Lose({StatusCode::kVersionMismatch,
                 label_ + " speaks protocol version " + std::to_string(ack.protocol_major()) +
                     ", this agent " + std::to_string(kProtocolMajor) +
                     ": install matching builds"});
  }
  session_id_ = ack.session_id();
  protocol_minor_ = ack.protocol_minor();
  view_.info = ToBoardInfo(ack.capabilities());
  view_.role = ack.role() == v1::ROLE_UNSPECIFIED ? v1::AGENT : ack.role();
  view_.seen = now_;
  SendQuestion();
}

void BoardInquiry::OnError(const v1::Envelope& envelope) {
  const Status error = FromProto(envelope.error());
  // The daemon was started again, or made room for another session.
  if (phase_ == Phase::kAsking && error.code() == StatusCode::kNotFound && !said_hello_again_) {
    said_hello_again_ = true;
    return SayHello();
  }
  view_.seen = now_;
  Fail(error.WithContext(label_));
}

void BoardInquiry::SayHello() {
  session_id_.clear();
  phase_ = Phase::kGreeting;
  Message hello;
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  hello.envelope.mutable_hello()->set_agent_build(agent_build_);
  Send(std::move(hello));
}

void BoardInquiry::SendQuestion() {
  phase_ = Phase::kAsking;
  const bool is_order = question_.kind != BoardQuestion::Kind::kStatus;
  if (protocol_minor_ < kMinorWithStatus) {
    if (is_order) return Fail(Unsupported(label_ + kOlderDaemon));
    view_.board.reset();
    return Answered();
  }
  if (is_order && view_.role != v1::ADMIN) {
    return Fail({StatusCode::kPermissionDenied,
                 label_ + " is drained by administrators only: write the word admin behind this "
                          "agent's key in its authorized_agents"});
  }
  Message request;
  if (is_order) {
    v1::DrainRequest& drain = *request.envelope.mutable_drain_request();
    drain.set_drain(question_.kind == BoardQuestion::Kind::kDrain);
    drain.set_reason(question_.reason);
  } else {
    request.envelope.mutable_board_status_request();
  }
  Send(std::move(request));
}

void BoardInquiry::Send(Message message) {
  message.envelope.set_session_id(session_id_);
  message.envelope.set_request_id(++last_request_id_);
  actions_.emplace_back(SendMessage{std::move(message)});
}

void BoardInquiry::Answered() {
  view_.status = Status();
  view_.seen = now_;
  phase_ = Phase::kIdle;
}

void BoardInquiry::Fail(Status status) {
  if (is_asking()) view_.status = std::move(status);
  phase_ = Phase::kIdle;
}

void BoardInquiry::Lose(Status status) {
  const bool was_linked = is_linked_ || is_asking();
  Fail(std::move(status));
  is_linked_ = false;
  session_id_.clear();
  if (was_linked) actions_.emplace_back(CloseLink{});
}

}  // namespace bitpilot
