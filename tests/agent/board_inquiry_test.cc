// Asking one board what it does: the state machine alone, with answers by hand.
#include "agent/fleet/board_inquiry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "agent/fleet/quarantine_reason.h"
#include "kernels/base/utf8.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

using testing::HasSubstr;

constexpr Instant kNow{1000};

class BoardInquiryTest : public testing::Test {
 protected:
  // The message among `actions`, whose link must not be closed; an empty one if there is none.
  v1::Envelope SentOf(const std::vector<ClientAction>& actions) {
    v1::Envelope sent;
    for (const ClientAction& action : actions) {
      EXPECT_FALSE(std::holds_alternative<CloseLink>(action));
      const auto* send = std::get_if<SendMessage>(&action);
      if (send != nullptr) sent = send->message.envelope;
    }
    last_request_id_ = sent.request_id();
    return sent;
  }

  std::vector<ClientAction> Reply(Message message) {
    message.envelope.set_request_id(last_request_id_);
    message.envelope.set_session_id(std::string(16, 's'));
    return inquiry_.Step(MessageReceived{std::move(message)}, kNow);
  }

  std::vector<ClientAction> ReplyToHello(std::uint32_t minor = 3, v1::Role role = v1::OBSERVER) {
    Message message;
    v1::HelloAck& ack = *message.envelope.mutable_hello_ack();
    ack.set_protocol_major(kProtocolMajor);
    ack.set_protocol_minor(minor);
    ack.set_session_id(std::string(16, 's'));
    ack.set_boot_id(std::string(16, 'b'));
    ack.set_max_frame_bytes(4 << 20);
    ack.mutable_capabilities()->set_isa("avx2");
    ack.mutable_capabilities()->set_cpu_count(4);
    ack.set_role(role);
    return Reply(std::move(message));
  }

  static Message StatusMessage(const std::string& state, const std::string& drained = "") {
    Message message;
    message.envelope.mutable_board_status()->set_state(state);
    message.envelope.mutable_board_status()->set_draining(!drained.empty());
    message.envelope.mutable_board_status()->set_drain_reason(drained);
    return message;
  }

  static Message ErrorMessage(StatusCode code) {
    Message message;
    *message.envelope.mutable_error() = ToProto(Status(code, "so says the board"));
    return message;
  }

  // Connected, and greeted; the board's own question is out.
  v1::Envelope Connect(BoardQuestion question, v1::Role role = v1::OBSERVER) {
    const std::vector<ClientAction> opened = inquiry_.Ask(std::move(question), kNow);
    EXPECT_EQ(opened.size(), 1U);
    EXPECT_TRUE(std::holds_alternative<OpenLink>(opened.at(0)));
    EXPECT_TRUE(SentOf(inquiry_.Step(LinkUp{}, kNow)).has_hello());
    return SentOf(ReplyToHello(3, role));
  }

  BoardInquiry inquiry_{"board 'a' at tcp://192.0.2.7:7777", "test", "KEY-OF-AGENT"};
  std::uint64_t last_request_id_ = 0;
};

TEST_F(BoardInquiryTest, AsksWithoutALeaseAndAgainInTheSameSession) {
  const v1::Envelope asked = Connect({});
  EXPECT_TRUE(asked.has_board_status_request());
  EXPECT_EQ(asked.lease_epoch(), 0U);
  Reply(StatusMessage("TIMING"));
  EXPECT_FALSE(inquiry_.is_asking());
  const BoardView& view = inquiry_.view();
  EXPECT_TRUE(view.status.ok()) << view.status.message();
  EXPECT_EQ(view.board->state(), "TIMING");
  EXPECT_EQ(view.info->isa, "avx2");
  EXPECT_EQ(view.role, v1::OBSERVER);
  EXPECT_EQ(view.seen, kNow);

  const v1::Envelope again = SentOf(inquiry_.Ask({}, kNow));
  EXPECT_TRUE(again.has_board_status_request());
  EXPECT_GT(again.request_id(), asked.request_id());
  Reply(StatusMessage("READY"));
  EXPECT_EQ(inquiry_.view().board->state(), "READY");
}

TEST_F(BoardInquiryTest, GreetsADaemonAgainThatWasRestarted) {
  Connect({});
  Reply(StatusMessage("READY"));
  SentOf(inquiry_.Ask({}, kNow));
  EXPECT_TRUE(SentOf(Reply(ErrorMessage(StatusCode::kNotFound))).has_hello());
  EXPECT_TRUE(SentOf(ReplyToHello()).has_board_status_request());
  // One that knows no session that it gave is not asked for ever.
  Reply(ErrorMessage(StatusCode::kNotFound));
  EXPECT_FALSE(inquiry_.is_asking());
  EXPECT_EQ(inquiry_.view().status.code(), StatusCode::kNotFound);
}

TEST_F(BoardInquiryTest, SaysWhyABoardDoesNotAnswerAndKeepsWhatItSaidBefore) {
  Connect({});
  Reply(StatusMessage("READY"));
  inquiry_.Ask({}, kNow);
  const std::vector<ClientAction> lost = inquiry_.Step(LinkDown{"the connection was closed"}, kNow);
  ASSERT_EQ(lost.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<CloseLink>(lost[0]));
  EXPECT_EQ(inquiry_.view().status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(inquiry_.view().status.message(), HasSubstr("the connection was closed"));
  EXPECT_EQ(inquiry_.view().board->state(), "READY");

  ASSERT_TRUE(std::holds_alternative<OpenLink>(inquiry_.Ask({}, kNow).at(0)));
  inquiry_.GiveUp("nothing came within 300 ms");
  EXPECT_THAT(inquiry_.view().status.message(), HasSubstr("nothing came within 300 ms"));
}

TEST_F(BoardInquiryTest, TellsARefusedKeyFromAnotherServer) {
  inquiry_.Ask({}, kNow);
  inquiry_.Step(LinkRefused{true}, kNow);
  EXPECT_EQ(inquiry_.view().status.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(inquiry_.view().status.message(), HasSubstr("authorized_agents"));
  EXPECT_THAT(inquiry_.view().status.message(), testing::EndsWith(" KEY-OF-AGENT"));
  inquiry_.Ask({}, kNow);
  inquiry_.Step(LinkRefused{false}, kNow);
  EXPECT_EQ(inquiry_.view().status.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(inquiry_.view().status.message(), HasSubstr("public key"));
}

TEST_F(BoardInquiryTest, DrainsAndUndrainsAsAnAdministrator) {
  const BoardQuestion drain{BoardQuestion::Kind::kDrain, "new fan"};
  const v1::Envelope order = Connect(drain, v1::ADMIN);
  ASSERT_TRUE(order.has_drain_request());
  EXPECT_TRUE(order.drain_request().drain());
  EXPECT_EQ(order.drain_request().reason(), "new fan");
  Reply(StatusMessage("DRAINING", "new fan"));
  EXPECT_TRUE(inquiry_.view().board->draining());
  EXPECT_FALSE(SentOf(inquiry_.Ask({BoardQuestion::Kind::kUndrain}, kNow)).drain_request().drain());
}

TEST_F(BoardInquiryTest, OrdersNothingWithAKeyThatMayNot) {
  inquiry_.Ask({BoardQuestion::Kind::kDrain, "new fan"}, kNow);
  SentOf(inquiry_.Step(LinkUp{}, kNow));
  EXPECT_TRUE(ReplyToHello(3, v1::AGENT).empty()) << "nothing is sent";
  EXPECT_EQ(inquiry_.view().status.code(), StatusCode::kPermissionDenied);
  EXPECT_THAT(inquiry_.view().status.message(), HasSubstr("the word admin"));
}

TEST_F(BoardInquiryTest, SaysThatAnOlderDaemonDoesNotTell) {
  inquiry_.Ask({}, kNow);
  SentOf(inquiry_.Step(LinkUp{}, kNow));
  EXPECT_TRUE(ReplyToHello(/*minor=*/2).empty());
  EXPECT_TRUE(inquiry_.view().status.ok());
  EXPECT_FALSE(inquiry_.view().board.has_value());
  EXPECT_TRUE(inquiry_.view().info.has_value());
  EXPECT_TRUE(inquiry_.Ask({BoardQuestion::Kind::kDrain, "x"}, kNow).empty());
  EXPECT_EQ(inquiry_.view().status.code(), StatusCode::kUnsupported);
}

TEST_F(BoardInquiryTest, ReadsNoAnswerToAnEarlierQuestion) {
  Connect({});
  const std::uint64_t first = last_request_id_;
  SentOf(inquiry_.Ask({}, kNow));
  last_request_id_ = first;
  Reply(StatusMessage("TIMING"));
  EXPECT_TRUE(inquiry_.is_asking());
  EXPECT_FALSE(inquiry_.view().board.has_value());
}

TEST(QuarantineReasonTest, TellsAQuarantineFromAnotherDrain) {
  v1::BoardStatus board;
  board.set_drain_reason(QuarantineReason("wrong outputs"));
  EXPECT_FALSE(IsQuarantined(board)) << "it is over";
  board.set_draining(true);
  EXPECT_TRUE(IsQuarantined(board));
  board.set_drain_reason("new fan");
  EXPECT_FALSE(IsQuarantined(board));
}

// Both are as long as they may be.
TEST(QuarantineReasonTest, CutsTheEarlierReasonOnlyAsFarAsItMust) {
  v1::BoardStatus board;
  board.set_draining(true);
  std::string earlier;
  while (earlier.size() + 2 <= kMaxNameBytes) earlier += "\u00e9";  // of two bytes
  board.set_drain_reason(earlier);
  for (const std::size_t length : {200, 201}) {
    const std::string why(length, 'x');
    const std::string reason = QuarantineReason(why, board);
    EXPECT_LE(reason.size(), kMaxNameBytes);
    EXPECT_GE(reason.size() + 1, kMaxNameBytes);
    EXPECT_TRUE(IsUtf8(reason));
    EXPECT_TRUE(reason.starts_with("quarantined: " + why + "; was drained: \u00e9"));
    EXPECT_TRUE(reason.ends_with("\u00e9..."));
  }
  // The second quarantine takes what there is of it.
  const std::string why(kMaxNameBytes - kQuarantinePrefix.size(), 'x');
  EXPECT_LE(QuarantineReason(why, board).size(), kMaxNameBytes);
  board.set_drain_reason("new fan");
  EXPECT_EQ(QuarantineReason("slow", board), "quarantined: slow; was drained: new fan");
  board.set_drain_reason("quarantined: slow; was drained: new fan");
  EXPECT_EQ(QuarantineReason("hot", board), "quarantined: hot; was drained: new fan");
}

}  // namespace
}  // namespace bitpilot
