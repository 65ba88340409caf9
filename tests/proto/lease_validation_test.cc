// Leases, what a board says of itself, and draining.
#include "proto/lease_validation.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "proto/phases.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

Message SessionRequest() {
  Message message;
  message.envelope.set_session_id(std::string(kSessionIdBytes, 's'));
  return message;
}

Message LeaseRequest() {
  Message message = SessionRequest();
  message.envelope.mutable_lease_request()->set_ttl_ms(30'000);
  return message;
}

Message Decoded(const Message& message) {
  const std::vector<std::string> frames = EncodeMessage(message);
  const Result<Message> decoded =
      DecodeMessage(std::vector<std::string_view>(frames.begin(), frames.end()));
  EXPECT_TRUE(decoded.ok()) << decoded.status().message();
  return decoded.ok() ? *decoded : Message();
}

// What an agent of an earlier minor version sends, and means a reservation with.
TEST(LeaseValidationTest, AcceptsALeaseWithoutAKind) {
  const Message message = Decoded(LeaseRequest());
  EXPECT_TRUE(ValidateRequest(message).ok());
  EXPECT_EQ(message.envelope.lease_request().kind(), v1::LeaseRequest::KIND_UNSPECIFIED);
}

TEST(LeaseValidationTest, CarriesKindAndPriorityOverTheWire) {
  Message message = LeaseRequest();
  message.envelope.mutable_lease_request()->set_kind(v1::LeaseRequest::PER_JOB);
  message.envelope.mutable_lease_request()->set_priority(-9);
  const Message decoded = Decoded(message);
  EXPECT_TRUE(ValidateRequest(decoded).ok());
  EXPECT_EQ(decoded.envelope.lease_request().kind(), v1::LeaseRequest::PER_JOB);
  EXPECT_EQ(decoded.envelope.lease_request().priority(), -9);
}

TEST(LeaseValidationTest, RefusesAGrantWithMeasureIdsOfAnotherLength) {
  Message message;
  v1::LeaseGrant& grant = *message.envelope.mutable_lease_grant();
  grant.set_epoch(4);
  grant.add_known_measure_ids(std::string(kMeasureIdBytes, 'm'));
  EXPECT_TRUE(ValidateReply(message).ok());
  grant.add_known_measure_ids("short");
  EXPECT_EQ(ValidateReply(message).code(), StatusCode::kInvalidArgument);
}

TEST(LeaseValidationTest, RefusesUnknownKindsAndPrioritiesOutOfRange) {
  Message message = LeaseRequest();
  message.envelope.mutable_lease_request()->set_kind(static_cast<v1::LeaseRequest::Kind>(3));
  EXPECT_EQ(ValidateRequest(message).code(), StatusCode::kInvalidArgument);
  for (const int priority : {-10, 10, 1 << 30}) {
    message = LeaseRequest();
    message.envelope.mutable_lease_request()->set_priority(priority);
    EXPECT_EQ(ValidateRequest(message).code(), StatusCode::kInvalidArgument) << priority;
  }
}

TEST(LeaseValidationTest, LetsOnlyAReservationWait) {
  Message message = LeaseRequest();
  message.envelope.mutable_lease_request()->set_wait(true);
  EXPECT_TRUE(ValidateRequest(message).ok());
  message.envelope.mutable_lease_request()->set_kind(v1::LeaseRequest::PER_JOB);
  EXPECT_EQ(ValidateRequest(message).code(), StatusCode::kInvalidArgument);
}

TEST(LeaseValidationTest, AcceptsWhatAsksForTheStateAndDrains) {
  Message message = SessionRequest();
  message.envelope.mutable_board_status_request();
  EXPECT_TRUE(ValidateRequest(Decoded(message)).ok());
  message = SessionRequest();
  message.envelope.mutable_drain_request()->set_drain(true);
  message.envelope.mutable_drain_request()->set_reason("new heat sink");
  const Message decoded = Decoded(message);
  EXPECT_TRUE(ValidateRequest(decoded).ok());
  EXPECT_EQ(decoded.envelope.drain_request().reason(), "new heat sink");
  message.envelope.mutable_drain_request()->set_reason(std::string(kMaxNameBytes + 1, 'x'));
  EXPECT_EQ(ValidateRequest(message).code(), StatusCode::kInvalidArgument);
}

TEST(LeaseValidationTest, TakesAnAnnouncementAndAStateOnlyFromADaemon) {
  Message announce;
  announce.envelope.mutable_announce()->set_boot_id(std::string(kSessionIdBytes, 'b'));
  EXPECT_TRUE(ValidateReply(Decoded(announce)).ok());
  announce.envelope.set_session_id(std::string(kSessionIdBytes, 's'));
  EXPECT_EQ(ValidateRequest(announce).code(), StatusCode::kInvalidArgument);
  announce.envelope.mutable_announce()->set_boot_id("short");
  EXPECT_EQ(ValidateReply(announce).code(), StatusCode::kInvalidArgument);
  Message status;
  status.envelope.mutable_board_status()->set_state("READY");
  EXPECT_TRUE(ValidateReply(Decoded(status)).ok());
  status.envelope.set_session_id(std::string(kSessionIdBytes, 's'));
  EXPECT_EQ(ValidateRequest(status).code(), StatusCode::kInvalidArgument);
}

TEST(LeaseValidationTest, CarriesTheStateOfABoardOverTheWire) {
  Message reply;
  v1::BoardStatus& board = *reply.envelope.mutable_board_status();
  board.set_holder("alice's study");
  v1::QueueEntry& entry = *board.add_queue();
  entry.set_kind(v1::QueueEntry::MEASUREMENT);
  entry.set_priority(-2);
  v1::StatusCount& count = *board.add_finished();
  count.set_status(v1::CRASH);
  count.set_count(3);
  const Message decoded = Decoded(reply);
  ASSERT_TRUE(ValidateReply(decoded).ok());
  EXPECT_EQ(decoded.envelope.board_status().queue(0).priority(), -2);
  EXPECT_EQ(decoded.envelope.board_status().finished(0).count(), 3U);
  EXPECT_FALSE(decoded.envelope.board_status().has_clock_mhz());
}

TEST(LeaseValidationTest, RefusesStatesWithEndlessQueuesAndUnknownCounts) {
  Message reply;
  for (int i = 0; i < kMaxQueueEntries; ++i) reply.envelope.mutable_board_status()->add_queue();
  EXPECT_TRUE(ValidateReply(reply).ok());
  reply.envelope.mutable_board_status()->add_queue();
  EXPECT_EQ(ValidateReply(reply).code(), StatusCode::kInvalidArgument);
  reply.envelope.mutable_board_status()->clear_queue();
  reply.envelope.mutable_board_status()->add_finished()->set_count(1);
  EXPECT_EQ(ValidateReply(reply).code(), StatusCode::kInvalidArgument);
}

TEST(LeaseValidationTest, RefusesRolesAndKindsThatItDoesNotKnow) {
  Message reply;
  v1::HelloAck& ack = *reply.envelope.mutable_hello_ack();
  ack.set_session_id(std::string(kSessionIdBytes, 's'));
  ack.set_boot_id(std::string(kSessionIdBytes, 'b'));
  EXPECT_TRUE(ValidateReply(reply).ok());
  ack.set_role(v1::ADMIN);
  EXPECT_TRUE(ValidateReply(Decoded(reply)).ok());
  ack.set_role(static_cast<v1::Role>(4));
  EXPECT_EQ(ValidateReply(reply).code(), StatusCode::kInvalidArgument);
  Message grant;
  grant.envelope.mutable_lease_grant()->set_epoch(1);
  EXPECT_TRUE(ValidateReply(grant).ok());
  grant.envelope.mutable_lease_grant()->set_kind(static_cast<v1::LeaseRequest::Kind>(3));
  EXPECT_EQ(ValidateReply(grant).code(), StatusCode::kInvalidArgument);
}

TEST(LeaseValidationTest, RefusesClocksThatNoCpuRunsAt) {
  Message reply;
  v1::MeasureResult& result = *reply.envelope.mutable_measure_result();
  result.set_measure_id(std::string(kMeasureIdBytes, 'm'));
  result.set_status(v1::CANCELLED);
  result.mutable_conditions()->set_clock_mhz(1'500.0);
  EXPECT_TRUE(ValidateReply(reply).ok());
  result.mutable_conditions()->set_clock_mhz(0.0);
  EXPECT_EQ(ValidateReply(reply).code(), StatusCode::kInvalidArgument);
  result.mutable_conditions()->clear_clock_mhz();
  result.mutable_conditions()->set_claimed_clock_mhz(-1.0);
  EXPECT_EQ(ValidateReply(reply).code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bitpilot
