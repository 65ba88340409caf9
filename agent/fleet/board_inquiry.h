// BoardInquiry: asks one board what it does, or drains it, as a pure state machine: no lease is taken,
// so neither a measurement nor another agent is disturbed.
//
// A session: link up, Hello, HelloAck, then one request. Like ClientCore it gets events with the time
// at which they happened and returns actions for its link; whoever drives it limits the time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/fleet/client_core.h"
#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

// What is asked of a board.
struct BoardQuestion {
  enum class Kind : std::uint8_t { kStatus, kDrain, kUndrain };
  Kind kind = Kind::kStatus;
  std::string reason = {};  // of kDrain: told to whoever asks the board for a lease
};

// A board as it was last heard of.
struct BoardView {
  // Of the latest question: OK if it was answered.
  Status status = Status(StatusCode::kUnavailable, "was not asked yet");
  // What follows is of the latest answers, however old.
  std::optional<BoardInfo> info;
  v1::Role role = v1::ROLE_UNSPECIFIED;  // of this agent's key
  std::optional<v1::BoardStatus> board;  // nothing of a daemon before protocol version 1.3
  std::optional<Instant> seen;
};

class BoardInquiry {
 public:
  // label: how messages call the board, e.g. "board 'rpi5-a' at tcp://192.0.2.7:7777".
  // agent_public_key: for messages.
  BoardInquiry(std::string label, std::string agent_build, std::string agent_public_key);

  // Begins a question; one that is under way is given up.
  //
  // REQUIRES: `now` never goes back, here and below.
  std::vector<ClientAction> Ask(BoardQuestion question, Instant now);

  // What happened on the link: LinkUp, LinkDown, LinkRefused, LinkImpossible, MessageReceived or
  // GarbageReceived. Others do nothing.
  std::vector<ClientAction> Step(ClientEvent event, Instant now);

  // Ends a question that is under way with kUnavailable.
  std::vector<ClientAction> GiveUp(const std::string& why);

  bool is_asking() const { return phase_ != Phase::kIdle; }
  const BoardView& view() const { return view_; }

 private:
  enum class Phase : std::uint8_t { kIdle, kConnecting, kGreeting, kAsking };

  void Handle(const LinkRefused& event);
  void Handle(const MessageReceived& event);
  void OnHelloAck(const v1::HelloAck& ack);
  void OnError(const v1::Envelope& envelope);
  void SayHello();
  void SendQuestion();
  void Send(Message message);
  void Answered();
  void Fail(Status status);
  // Fail(), and the link and its session are done with.
  void Lose(Status status);

  const std::string label_;
  const std::string agent_build_;
  const std::string agent_public_key_;
  std::vector<ClientAction> actions_;
  Instant now_{0};
  Phase phase_ = Phase::kIdle;
  bool is_linked_ = false;
  bool said_hello_again_ = false;  // for this question
  BoardQuestion question_;
  std::string session_id_;  // empty: none
  std::uint32_t protocol_minor_ = 0;
  std::uint64_t last_request_id_ = 0;
  BoardView view_;
};

}  // namespace bitpilot
