#include "proto/validation.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <string>

#include "proto/crc32.h"

namespace bitpilot {
namespace {

Message Request() {
  Message message;
  message.envelope.set_session_id(std::string(kSessionIdBytes, 's'));
  return message;
}

Message MeasureRequest() {
  Message message = Request();
  v1::MeasureRequest& measure = *message.envelope.mutable_measure_request();
  measure.set_measure_id(std::string(kMeasureIdBytes, 'm'));
  measure.add_network_sha256(std::string(kSha256Bytes, 'n'));
  measure.add_golden_logits(std::string(40, '\0'));
  measure.set_golden_pixels("pixels");
  measure.mutable_spec()->set_tier(v1::MeasureSpec::SCREEN);
  return message;
}

Message ChunkRequest(const std::string& bytes) {
  Message message = Request();
  v1::ArtifactChunk& chunk = *message.envelope.mutable_artifact_chunk();
  chunk.set_sha256(std::string(kSha256Bytes, 'n'));
  chunk.set_crc32(Crc32(bytes));
  message.raw = bytes;
  return message;
}

Message MeasureReply() {
  Message message;
  v1::MeasureResult& result = *message.envelope.mutable_measure_result();
  result.set_measure_id(std::string(kMeasureIdBytes, 'm'));
  result.set_status(v1::OK);
  v1::NetworkMeasurement& network = *result.add_networks();
  network.set_network_sha256(std::string(kSha256Bytes, 'n'));
  network.set_latency_median_ns(2.0);
  network.set_latency_low_ns(1.0);
  network.set_latency_high_ns(3.0);
  network.set_confidence(0.96);
  network.add_window_ns(2.0);
  network.add_window_cpu_ns(2.0);
  return message;
}

StatusCode CodeOf(const Message& message) { return ValidateRequest(message).code(); }

TEST(ValidateRequestTest, AcceptsAMeasureRequest) {
  EXPECT_TRUE(ValidateRequest(MeasureRequest()).ok());
}

TEST(ValidateRequestTest, RefusesAMissingBody) {
  EXPECT_EQ(CodeOf(Request()), StatusCode::kInvalidArgument);
}

TEST(ValidateRequestTest, RefusesSessionIdsOfOtherSizes) {
  Message message = MeasureRequest();
  message.envelope.set_session_id("short");
  EXPECT_EQ(CodeOf(message), StatusCode::kInvalidArgument);
  Message hello;
  hello.envelope.mutable_hello();
  hello.envelope.set_session_id(std::string(kSessionIdBytes, 's'));
  EXPECT_EQ(CodeOf(hello), StatusCode::kInvalidArgument);
}

TEST(ValidateRequestTest, RefusesMessagesThatOnlyADaemonSends) {
  Message message = Request();
  message.envelope.mutable_lease_grant()->set_epoch(1);
  EXPECT_EQ(CodeOf(message), StatusCode::kInvalidArgument);
}

TEST(ValidateRequestTest, RefusesUnsetAndUnknownTiers) {
  for (const int tier : {0, 4, 99, -1}) {
    Message message = MeasureRequest();
    message.envelope.mutable_measure_request()->mutable_spec()->set_tier(
        static_cast<v1::MeasureSpec::Tier>(tier));
    EXPECT_EQ(CodeOf(message), StatusCode::kInvalidArgument) << tier;
  }
}

TEST(ValidateRequestTest, RefusesWindowsThatAreDoubledTooOften) {
  Message message = MeasureRequest();
  v1::MeasureSpec& spec = *message.envelope.mutable_measure_request()->mutable_spec();
  spec.set_window_doublings(kMaxWindowDoublings);
  EXPECT_TRUE(ValidateRequest(message).ok());
  for (const std::uint32_t doublings : {kMaxWindowDoublings + 1, ~std::uint32_t{0}}) {
    spec.set_window_doublings(doublings);
    EXPECT_EQ(CodeOf(message), StatusCode::kInvalidArgument) << doublings;
  }
}

TEST(ValidateRequestTest, RefusesNumbersOfNetworksOutsideOneToSixtyFour) {
  Message none = MeasureRequest();
  none.envelope.mutable_measure_request()->clear_network_sha256();
  none.envelope.mutable_measure_request()->clear_golden_logits();
  EXPECT_EQ(CodeOf(none), StatusCode::kInvalidArgument);
  Message many = MeasureRequest();
  for (int i = 0; i < kMaxNetworksPerMeasure - 1; ++i) {
    many.envelope.mutable_measure_request()->add_network_sha256(std::string(kSha256Bytes, 'n'));
    many.envelope.mutable_measure_request()->add_golden_logits("1234");
  }
  EXPECT_EQ(CodeOf(many), StatusCode::kOk);
  many.envelope.mutable_measure_request()->add_network_sha256(std::string(kSha256Bytes, 'n'));
  many.envelope.mutable_measure_request()->add_golden_logits("1234");
  EXPECT_EQ(CodeOf(many), StatusCode::kInvalidArgument);
}

TEST(ValidateRequestTest, RefusesGoldenLogitsThatAreNotParallelOrNotFloats) {
  Message missing = MeasureRequest();
  missing.envelope.mutable_measure_request()->clear_golden_logits();
  EXPECT_EQ(CodeOf(missing), StatusCode::kInvalidArgument);
  Message odd = MeasureRequest();
  odd.envelope.mutable_measure_request()->set_golden_logits(0, "12345");
  EXPECT_EQ(CodeOf(odd), StatusCode::kInvalidArgument);
}

TEST(ValidateRequestTest, RefusesGoldenOutputsThatDoNotFitTheirLogits) {
  Message message = MeasureRequest();  // ten logits
  v1::MeasureRequest& measure = *message.envelope.mutable_measure_request();
  const auto add = [](v1::NamedOutputs& outputs, const std::string& name, std::uint32_t values) {
    outputs.add_outputs()->set_name(name);
    outputs.mutable_outputs(outputs.outputs_size() - 1)->set_num_values(values);
  };
  v1::NamedOutputs& outputs = *measure.add_golden_outputs();
  add(outputs, "boxes", 4);
  EXPECT_EQ(CodeOf(message), StatusCode::kInvalidArgument);
  add(outputs, "scores", 6);
  EXPECT_EQ(CodeOf(message), StatusCode::kOk);
  outputs.mutable_outputs(1)->clear_name();
  EXPECT_EQ(CodeOf(message), StatusCode::kInvalidArgument);
  outputs.mutable_outputs(1)->set_name("scores");
  *measure.add_golden_outputs() = outputs;
  EXPECT_EQ(CodeOf(message), StatusCode::kInvalidArgument);
}

TEST(ValidateRequestTest, NamesADamagedChunk) {
  Message message = ChunkRequest("bytes");
  EXPECT_TRUE(ValidateRequest(message).ok());
  message.raw[2] ^= 1;
  EXPECT_EQ(CodeOf(message), StatusCode::kDataCorrupt);
}

TEST(ValidateRequestTest, RefusesChunksOfImpossibleSizesAndOffsets) {
  EXPECT_EQ(CodeOf(ChunkRequest("")), StatusCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(ChunkRequest(std::string(kChunkBytes + 1, 'x'))), StatusCode::kInvalidArgument);
  Message far = ChunkRequest("bytes");
  far.envelope.mutable_artifact_chunk()->set_offset(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(CodeOf(far), StatusCode::kInvalidArgument);
}

TEST(ValidateRequestTest, RefusesArtifactsOfImpossibleSizes) {
  for (const std::uint64_t bytes :
       {std::uint64_t{0}, kMaxArtifactBytes + 1, std::numeric_limits<std::uint64_t>::max()}) {
    Message message = Request();
    message.envelope.mutable_artifact_query()->set_sha256(std::string(kSha256Bytes, 'n'));
    message.envelope.mutable_artifact_query()->set_total_bytes(bytes);
    EXPECT_EQ(CodeOf(message), StatusCode::kInvalidArgument) << bytes;
  }
}

TEST(ValidateRequestTest, RefusesPixelsThatAreNotWholeImages) {
  Message message = Request();
  v1::InferRequest& infer = *message.envelope.mutable_infer_request();
  infer.set_network_sha256(std::string(kSha256Bytes, 'n'));
  message.raw = std::string(10, 'p');
  for (const std::uint32_t images : {0U, 3U, 11U, 0xFFFFFFFFU}) {
    infer.set_num_images(images);
    EXPECT_EQ(CodeOf(message), StatusCode::kInvalidArgument) << images;
  }
  infer.set_num_images(5);
  EXPECT_EQ(CodeOf(message), StatusCode::kOk);
}

TEST(ValidateRequestTest, RefusesLeaseTimesOutOfRange) {
  for (const std::uint32_t ttl_ms : {0U, kMinLeaseTtlMs - 1, kMaxLeaseTtlMs + 1, 0xFFFFFFFFU}) {
    Message message = Request();
    message.envelope.mutable_lease_request()->set_ttl_ms(ttl_ms);
    EXPECT_EQ(CodeOf(message), StatusCode::kInvalidArgument) << ttl_ms;
  }
}

TEST(ValidateReplyTest, AcceptsAMeasurement) { EXPECT_TRUE(ValidateReply(MeasureReply()).ok()); }

TEST(ValidateReplyTest, RefusesUnsetAndUnknownStatuses) {
  for (const int status : {0, 14, -5}) {
    Message message = MeasureReply();
    message.envelope.mutable_measure_result()->set_status(static_cast<v1::MeasureStatus>(status));
    EXPECT_FALSE(ValidateReply(message).ok()) << status;
  }
}

TEST(ValidateReplyTest, RefusesNumbersWithAFailureAndSuccessWithoutNumbers) {
  Message failure = MeasureReply();
  failure.envelope.mutable_measure_result()->set_status(v1::CRASH);
  EXPECT_FALSE(ValidateReply(failure).ok());
  Message empty = MeasureReply();
  empty.envelope.mutable_measure_result()->clear_networks();
  EXPECT_FALSE(ValidateReply(empty).ok());
}

TEST(ValidateReplyTest, RefusesLatenciesThatAreNoTimes) {
  for (const double latency : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()}) {
    Message message = MeasureReply();
    message.envelope.mutable_measure_result()->mutable_networks(0)->set_window_ns(0, latency);
    EXPECT_FALSE(ValidateReply(message).ok()) << latency;
  }
}

TEST(ValidateReplyTest, RefusesAMedianOutsideItsInterval) {
  Message message = MeasureReply();
  message.envelope.mutable_measure_result()->mutable_networks(0)->set_latency_low_ns(2.5);
  EXPECT_FALSE(ValidateReply(message).ok());
}

// The agent stores them as JSON, which has finite numbers only.
TEST(ValidateReplyTest, RefusesConditionsThatAreNotFinite) {
  Message reply = MeasureReply();
  v1::Conditions& conditions = *reply.envelope.mutable_measure_result()->mutable_conditions();
  conditions.set_canary_ns(1e5);
  conditions.set_other_load(0.2);
  EXPECT_TRUE(ValidateReply(reply).ok());
  conditions.set_canary_ns(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(ValidateReply(reply).code(), StatusCode::kInvalidArgument);
  conditions.set_canary_ns(1e5);
  conditions.set_temperature_end_celsius(std::numeric_limits<double>::infinity());
  EXPECT_EQ(ValidateReply(reply).code(), StatusCode::kInvalidArgument);
}

TEST(ValidateReplyTest, TakesDamagedFilesOnlyOfARejectedMeasurement) {
  Message reply = MeasureReply();
  v1::MeasureResult& result = *reply.envelope.mutable_measure_result();
  result.add_damaged_sha256(std::string(kSha256Bytes, 'n'));
  EXPECT_EQ(ValidateReply(reply).code(), StatusCode::kInvalidArgument);
  result.clear_networks();
  result.set_status(v1::CRASH);
  EXPECT_EQ(ValidateReply(reply).code(), StatusCode::kInvalidArgument);
  result.set_status(v1::REJECTED);
  EXPECT_TRUE(ValidateReply(reply).ok());
}

TEST(ValidateReplyTest, RefusesLogitsThatAreNotFinite) {
  for (const float value :
       {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN(), 1.5F}) {
    const std::array<float, 4> logits{1.0F, -2.0F, value, 0.0F};
    Message reply;
    reply.envelope.mutable_infer_result()->set_num_images(2);
    reply.envelope.mutable_infer_result()->set_num_classes(2);
    reply.raw.assign(reinterpret_cast<const char*>(logits.data()), sizeof logits);
    EXPECT_EQ(ValidateReply(reply).ok(), std::isfinite(value)) << value;
  }
}

// 2^31 images of 2^31 classes at 4 bytes would be 2^64 bytes, which wraps to none.
TEST(ValidateReplyTest, RefusesOutputsThatAreNotTheLogits) {
  Message reply;
  v1::InferResult& result = *reply.envelope.mutable_infer_result();
  result.set_num_images(2);
  result.set_num_classes(3);
  reply.raw = std::string(2 * 3 * sizeof(float), '\0');
  EXPECT_TRUE(ValidateReply(reply).ok());  // of a daemon that knows one output only
  result.add_outputs()->set_name("boxes");
  result.mutable_outputs(0)->set_num_values(2);
  EXPECT_EQ(ValidateReply(reply).code(), StatusCode::kInvalidArgument);
  result.add_outputs()->set_name("scores");
  result.mutable_outputs(1)->set_num_values(1);
  EXPECT_TRUE(ValidateReply(reply).ok());
}

TEST(ValidateReplyTest, RefusesLogitsWhoseSizeOverflows) {
  Message message;
  message.envelope.mutable_infer_result()->set_num_images(1U << 31);
  message.envelope.mutable_infer_result()->set_num_classes(1U << 31);
  EXPECT_FALSE(ValidateReply(message).ok());
}

}  // namespace
}  // namespace bitpilot
