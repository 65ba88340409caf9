#include "tests/device_daemon/test_agent.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "proto/crc32.h"
#include "proto/validation.h"

namespace bitpilot {

TestAgent::TestAgent(const std::string& endpoint, const std::string& server_key,
                     const std::optional<CurveKeys>& keys)
    : socket_(std::make_unique<ZmqSocket>(io_, context_, ZmqSocketKind::kDealer)) {
  if (keys) BITPILOT_CHECK(socket_->SecureAsClient(server_key, *keys).ok());
  BITPILOT_CHECK(socket_->Connect(endpoint).ok());
  socket_->OnMessage([this](const ZmqMessage& message) {
    const std::vector<std::string_view> frames(message.frames.begin(), message.frames.end());
    Result<Message> decoded = DecodeMessage(frames);
    BITPILOT_CHECK(decoded.ok());
    received_.push_back(std::move(*decoded));
  });
}

std::uint64_t TestAgent::Connect(v1::LeaseRequest::Kind kind) {
  return SayHello() ? AskForLease(kind) : 0;
}

bool TestAgent::SayHello() {
  Message hello;
  hello.envelope.set_request_id(++request_id_);
  hello.envelope.mutable_hello()->set_protocol_major(kProtocolMajor);
  const Message ack = Ask(hello);
  hello_ = ack.envelope.hello_ack();
  session_id_ = hello_.session_id();
  return !session_id_.empty();
}

std::uint64_t TestAgent::AskForLease(v1::LeaseRequest::Kind kind) {
  Message lease = Request();
  lease.envelope.mutable_lease_request()->set_ttl_ms(60'000);
  lease.envelope.mutable_lease_request()->set_kind(kind);
  epoch_ = Ask(lease).envelope.lease_grant().epoch();
  return epoch_;
}

bool TestAgent::Upload(const TestNetwork& network) {
  Message query = Request();
  query.envelope.mutable_artifact_query()->set_sha256(network.sha256);
  query.envelope.mutable_artifact_query()->set_total_bytes(network.file.size());
  v1::ArtifactStatus status = Ask(query).envelope.artifact_status();
  while (!status.complete()) {
    Message chunk = Request();
    chunk.raw = network.file.substr(status.have_bytes(), kChunkBytes);
    chunk.envelope.mutable_artifact_chunk()->set_sha256(network.sha256);
    chunk.envelope.mutable_artifact_chunk()->set_offset(status.have_bytes());
    chunk.envelope.mutable_artifact_chunk()->set_crc32(Crc32(chunk.raw));
    const Message reply = Ask(chunk);
    if (!reply.envelope.has_artifact_status()) return false;
    status = reply.envelope.artifact_status();
  }
  return true;
}

Message TestAgent::Request() {
  Message message;
  message.envelope.set_session_id(session_id_);
  message.envelope.set_lease_epoch(epoch_);
  message.envelope.set_request_id(++request_id_);
  return message;
}

Message TestAgent::MeasureRequest(const TestNetwork& network, char id) {
  Message message = Request();
  v1::MeasureRequest& measure = *message.envelope.mutable_measure_request();
  measure.set_measure_id(std::string(kMeasureIdBytes, id));
  measure.add_network_sha256(network.sha256);
  measure.set_golden_pixels(pixels_);
  measure.add_golden_logits(GoldenLogits(network.network, pixels_));
  measure.mutable_spec()->set_tier(v1::MeasureSpec::SCREEN);
  return message;
}

Message TestAgent::InferRequest(const TestNetwork& network, const std::string& pixels) {
  Message message = Request();
  message.envelope.mutable_infer_request()->set_network_sha256(network.sha256);
  message.envelope.mutable_infer_request()->set_num_images(
      static_cast<std::uint32_t>(pixels.size() / pixels_.size()));
  message.raw = pixels;
  return message;
}

void TestAgent::Send(const Message& message) { SendFrames(EncodeMessage(message)); }

void TestAgent::SendFrames(const std::vector<std::string>& frames) {
  BITPILOT_CHECK(socket_->Send(frames).ok());
}

bool TestAgent::TrySend(const Message& message) {
  return socket_->Send(EncodeMessage(message)).ok();
}

std::optional<Message> TestAgent::Receive(std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (received_.empty() && std::chrono::steady_clock::now() < end) {
    io_.restart();
    io_.run_for(std::chrono::milliseconds{5});
  }
  if (received_.empty()) return std::nullopt;
  Message message = std::move(received_.front());
  received_.pop_front();
  return message;
}

Message TestAgent::Ask(const Message& message) {
  Send(message);
  for (;;) {
    std::optional<Message> reply = Receive();
    if (!reply) return {};
    if (!reply->envelope.has_measure_progress()) return std::move(*reply);
  }
}

v1::MeasureResult TestAgent::Measure(const Message& message) {
  Send(message);
  return ReceiveResult();
}

v1::MeasureResult TestAgent::ReceiveResult() {
  while (const std::optional<Message> reply = Receive()) {
    if (reply->envelope.has_measure_result()) return reply->envelope.measure_result();
    if (reply->envelope.has_error()) {
      v1::MeasureResult result;
      result.set_detail("Error: " + reply->envelope.error().detail());
      return result;
    }
  }
  return {};
}

}  // namespace bitpilot
