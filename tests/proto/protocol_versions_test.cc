// Old agents and new daemons, and the reverse: messages of minor version 2, by its own frozen classes.
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "proto/validation.h"
#include "tests/proto/frozen/bitpilot_minor2.pb.h"

namespace bitpilot {
namespace {

// What today's peer makes of an old envelope.
Message Today(const minor2::Envelope& old) {
  Message message;
  EXPECT_TRUE(message.envelope.ParseFromString(old.SerializeAsString()));
  return message;
}

// What an old peer makes of today's envelope: fields that it does not know are ignored.
minor2::Envelope Minor2(const v1::Envelope& today) {
  minor2::Envelope old;
  EXPECT_TRUE(old.ParseFromString(today.SerializeAsString()));
  return old;
}

minor2::Envelope OldRequest() {
  minor2::Envelope old;
  old.set_session_id(std::string(kSessionIdBytes, 's'));
  old.set_request_id(7);
  old.set_lease_epoch(3);
  return old;
}

TEST(ProtocolVersionsTest, F38TakesTheRequestsOfAnOldAgentAsItMeantThem) {
  minor2::Envelope hello;
  hello.mutable_hello()->set_protocol_major(1);
  hello.mutable_hello()->set_agent_build("bitpilot 0.1.0");
  EXPECT_TRUE(ValidateRequest(Today(hello)).ok());
  minor2::Envelope lease = OldRequest();
  lease.mutable_lease_request()->set_ttl_ms(30'000);
  lease.mutable_lease_request()->set_holder("study");
  Message today = Today(lease);
  EXPECT_TRUE(ValidateRequest(today).ok());
  EXPECT_EQ(today.envelope.lease_request().kind(), v1::LeaseRequest::KIND_UNSPECIFIED);
  EXPECT_FALSE(today.envelope.lease_request().wait());
  EXPECT_EQ(today.envelope.lease_request().priority(), 0);
  minor2::Envelope measure = OldRequest();
  minor2::MeasureRequest& request = *measure.mutable_measure_request();
  request.set_measure_id(std::string(kMeasureIdBytes, 'm'));
  request.add_network_sha256(std::string(kSha256Bytes, 'n'));
  request.add_golden_logits(std::string(40, '\0'));
  request.set_golden_pixels("pixels");
  request.mutable_spec()->set_tier(minor2::MeasureSpec::AUDIT);
  request.mutable_spec()->set_window_doublings(1);
  today = Today(measure);
  EXPECT_TRUE(ValidateRequest(today).ok());
  EXPECT_EQ(today.envelope.measure_request().spec().tier(), v1::MeasureSpec::AUDIT);
  EXPECT_EQ(today.envelope.measure_request().spec().window_doublings(), 1U);
  EXPECT_EQ(today.envelope.lease_epoch(), 3U);
}

TEST(ProtocolVersionsTest, F38GivesAnOldAgentWhatItUnderstands) {
  v1::Envelope ack;
  ack.mutable_hello_ack()->set_protocol_major(1);
  ack.mutable_hello_ack()->set_session_id(std::string(kSessionIdBytes, 's'));
  ack.mutable_hello_ack()->set_role(v1::AGENT);
  ack.mutable_hello_ack()->set_protocol_minor(kProtocolMinor);
  EXPECT_GE(Minor2(ack).hello_ack().protocol_minor(), 2U);
  v1::Envelope grant;
  grant.mutable_lease_grant()->set_epoch(4);
  grant.mutable_lease_grant()->set_kind(v1::LeaseRequest::RESERVATION);
  EXPECT_EQ(Minor2(grant).lease_grant().epoch(), 4U);
  v1::Envelope denied;
  denied.mutable_lease_denied()->set_reason(v1::LeaseDenied::DRAINING);
  denied.mutable_lease_denied()->set_queue_position(2);
  EXPECT_EQ(Minor2(denied).lease_denied().reason(), minor2::LeaseDenied::DRAINING);
  v1::Envelope result;
  v1::MeasureResult& measured = *result.mutable_measure_result();
  measured.set_status(v1::NOISY);
  measured.set_detail("throttled though cpufreq says not");
  measured.mutable_conditions()->set_clock_mhz(600.0);
  measured.mutable_conditions()->set_turn_wait_ms(5.0);
  const minor2::Envelope old = Minor2(result);
  EXPECT_EQ(old.measure_result().status(), minor2::NOISY);
  EXPECT_EQ(old.measure_result().detail(), measured.detail());
  EXPECT_DOUBLE_EQ(old.measure_result().conditions().turn_wait_ms(), 5.0);
  v1::Envelope infer;
  infer.mutable_infer_result()->set_num_images(2);
  infer.mutable_infer_result()->set_num_classes(10);
  infer.mutable_infer_result()->add_outputs()->set_name("logits");
  EXPECT_EQ(Minor2(infer).infer_result().num_classes(), 10U);
}

// An old daemon sees what it does not know as nothing, and the agent asks only for what HelloAck says.
TEST(ProtocolVersionsTest, F38ReadsTheRepliesOfAnOldDaemon) {
  minor2::Envelope ack;
  minor2::HelloAck& hello = *ack.mutable_hello_ack();
  hello.set_protocol_major(1);
  hello.set_session_id(std::string(kSessionIdBytes, 's'));
  hello.set_boot_id(std::string(kSessionIdBytes, 'b'));
  hello.set_protocol_minor(2);
  Message today = Today(ack);
  EXPECT_TRUE(ValidateReply(today).ok());
  EXPECT_EQ(today.envelope.hello_ack().role(), v1::ROLE_UNSPECIFIED);
  minor2::Envelope grant;
  grant.mutable_lease_grant()->set_epoch(1);
  EXPECT_TRUE(ValidateReply(Today(grant)).ok());
  minor2::Envelope denied;
  denied.mutable_lease_denied()->set_reason(minor2::LeaseDenied::HELD);
  today = Today(denied);
  EXPECT_TRUE(ValidateReply(today).ok());
  EXPECT_EQ(today.envelope.lease_denied().queue_position(), 0U);
  v1::Envelope status;
  status.mutable_board_status_request();
  EXPECT_EQ(Minor2(status).body_case(), minor2::Envelope::BODY_NOT_SET);
}

TEST(ProtocolVersionsTest, F38NamesBothVersionsOfAnotherMajor) {
  const std::vector<std::string> frames{std::string("BPLT\x02\x00\x10\x00", 8), "anything"};
  const Status status =
      DecodeMessage(std::vector<std::string_view>(frames.begin(), frames.end())).status();
  EXPECT_EQ(status.code(), StatusCode::kVersionMismatch);
  EXPECT_NE(status.message().find("2"), std::string::npos);
  EXPECT_NE(status.message().find("1"), std::string::npos);
}

}  // namespace
}  // namespace bitpilot
