#include "tests/agent/fleet_simulated_board.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "proto/crc32.h"
#include "proto/validation.h"

namespace bitpilot {
namespace {

constexpr std::chrono::milliseconds kLeaseTtl{30'000};

std::string IdOf(char kind, int number) {
  std::string id(16, '\0');
  id[0] = kind;
  std::memcpy(id.data() + 1, &number, sizeof(number));
  return id;
}

}  // namespace

double SimulatedBoard::LatencyOf(const std::string& sha256) {
  return 1000.0 + static_cast<double>(Crc32(sha256) % 100'000);
}

std::vector<float> SimulatedBoard::LogitsOf(const std::string& pixels) {
  return {static_cast<float>(Crc32(pixels) % 1000), static_cast<float>(pixels[0])};
}

Message SimulatedBoard::Reply(const Message& request) const {
  Message reply;
  reply.envelope.set_session_id(request.envelope.session_id());
  reply.envelope.set_lease_epoch(epoch_);
  reply.envelope.set_request_id(request.envelope.request_id());
  return reply;
}

Message SimulatedBoard::ErrorReply(const Message& request, StatusCode code,
                                   const std::string& detail) const {
  Message reply = Reply(request);
  *reply.envelope.mutable_error() = ToProto(Status(code, detail));
  return reply;
}

std::vector<Message> SimulatedBoard::Receive(const Message& message, Instant now) {
  const v1::Envelope& envelope = message.envelope;
  if (const Status valid = ValidateRequest(message); !valid.ok()) {
    return {ErrorReply(message, valid.code(), valid.message())};
  }
  if (envelope.has_hello()) return {OnHello(message)};
  const auto session = sessions_.find(envelope.session_id());
  if (session == sessions_.end()) {
    return {ErrorReply(message, StatusCode::kNotFound, "unknown session")};
  }
  if (!session->second.insert(envelope.request_id()).second) return {};
  if (is_drained && !running_) lease_session_.clear();
  const bool leased = lease_session_ == envelope.session_id() && now < lease_end_;
  if (leased) lease_end_ = now + kLeaseTtl;
  if (envelope.has_lease_request()) return {OnLease(message, now)};
  if (envelope.has_ping()) {
    Message reply = Reply(message);
    reply.envelope.mutable_pong()->set_agent_time_ns(envelope.ping().agent_time_ns());
    reply.envelope.mutable_pong()->set_state(inferring_ ? "INFERRING" : "LEASED");
    return {reply};
  }
  if (!leased || envelope.lease_epoch() != epoch_) {
    return {ErrorReply(message, StatusCode::kAborted, "the lease has ended")};
  }
  switch (envelope.body_case()) {
    case v1::Envelope::kArtifactQuery:
      return {OnQuery(message)};
    case v1::Envelope::kArtifactChunk:
      return {OnChunk(message)};
    case v1::Envelope::kInferRequest:
      if (infer_takes.count() == 0) return {OnInfer(message)};
      inferring_ = Running{OnInfer(message), now + infer_takes, now};
      return {};
    case v1::Envelope::kMeasureRequest:
      return {OnMeasure(message, now)};
    case v1::Envelope::kResultAck:
      finished_.erase(envelope.result_ack().measure_id());
      return {};
    case v1::Envelope::kLeaseRelease: {
      lease_session_.clear();
      Message reply = Reply(message);
      reply.envelope.mutable_lease_released();
      return {reply};
    }
    default:
      return {};
  }
}

Message SimulatedBoard::OnHello(const Message& message) {
  const std::string session_id = IdOf('s', ++num_sessions_);
  sessions_[session_id];
  Message reply = Reply(message);
  v1::HelloAck* ack = reply.envelope.mutable_hello_ack();
  ack->set_protocol_major(kProtocolMajor);
  ack->set_session_id(session_id);
  ack->set_boot_id(IdOf('b', boots_));
  ack->set_max_frame_bytes(kMaxRawBytes);
  ack->set_protocol_minor(protocol_minor);
  ack->mutable_limits()->set_store_bytes(store_bytes);
  ack->mutable_capabilities()->set_name(name);
  ack->mutable_capabilities()->set_isa(isa);
  ack->mutable_capabilities()->set_governor(governor);
  ack->mutable_capabilities()->set_backend("kernels");
  return reply;
}

Message SimulatedBoard::OnLease(const Message& message, Instant now) {
  Message reply = Reply(message);
  const std::string& session_id = message.envelope.session_id();
  if (is_drained) {
    reply.envelope.mutable_lease_denied()->set_reason(v1::LeaseDenied::DRAINING);
    reply.envelope.mutable_lease_denied()->set_retry_after_ms(1000);
    return reply;
  }
  const bool held_by_session =
      !lease_session_.empty() && lease_session_ != session_id && now < lease_end_;
  const bool is_per_job =
      protocol_minor >= 3 && message.envelope.lease_request().kind() == v1::LeaseRequest::PER_JOB;
  if (denial) {
    *reply.envelope.mutable_lease_denied() = *denial;
    return reply;
  }
  if (!is_per_job && (!held_by.empty() || held_by_session)) {
    v1::LeaseDenied* denied = reply.envelope.mutable_lease_denied();
    denied->set_reason(v1::LeaseDenied::HELD);
    denied->set_holder(held_by);
    denied->set_retry_after_ms(300);
    return reply;
  }
  lease_session_ = session_id;
  lease_end_ = now + kLeaseTtl;
  reply.envelope.mutable_lease_grant()->set_epoch(++epoch_);
  if (protocol_minor >= 3) {
    reply.envelope.mutable_lease_grant()->set_kind(is_per_job ? v1::LeaseRequest::PER_JOB
                                                              : v1::LeaseRequest::RESERVATION);
    reply.envelope.mutable_lease_grant()->set_reserved_by(reserved_by);
    for (const auto& [id, result] : finished_) {
      reply.envelope.mutable_lease_grant()->add_known_measure_ids(id);
    }
  }
  reply.envelope.mutable_lease_grant()->set_ttl_ms(message.envelope.lease_request().ttl_ms());
  return reply;
}

Message SimulatedBoard::StatusOf(const Message& request, const std::string& sha256) const {
  Message reply = Reply(request);
  v1::ArtifactStatus* status = reply.envelope.mutable_artifact_status();
  const auto have = artifacts_.find(sha256);
  status->set_sha256(sha256);
  status->set_have_bytes(have == artifacts_.end() ? 0 : have->second.size());
  status->set_complete(status->have_bytes() == artifact_bytes_.at(sha256));
  return reply;
}

Message SimulatedBoard::OnQuery(const Message& message) {
  const v1::ArtifactQuery& query = message.envelope.artifact_query();
  artifact_bytes_[query.sha256()] = query.total_bytes();
  return StatusOf(message, query.sha256());
}

Message SimulatedBoard::OnChunk(const Message& message) {
  if (!refuse_chunk.empty()) {
    return ErrorReply(message, StatusCode::kResourceExhausted, refuse_chunk);
  }
  const v1::ArtifactChunk& chunk = message.envelope.artifact_chunk();
  std::string& have = artifacts_[chunk.sha256()];
  if (chunk.offset() == have.size()) {
    have += message.raw;
    num_chunk_bytes_ += message.raw.size();
  }
  return StatusOf(message, chunk.sha256());
}

Message SimulatedBoard::OnInfer(const Message& message) const {
  if (!refuse_infer.empty()) return ErrorReply(message, refuse_infer_code, refuse_infer);
  const v1::InferRequest& infer = message.envelope.infer_request();
  if (!artifacts_.contains(infer.network_sha256())) {
    return ErrorReply(message, StatusCode::kNotFound, "unknown network");
  }
  Message reply = Reply(message);
  reply.envelope.mutable_infer_result()->set_num_images(infer.num_images());
  reply.envelope.mutable_infer_result()->set_num_classes(kNumClasses);
  for (std::size_t i = 0; i < infer.num_images(); ++i) {
    const std::vector<float> logits = LogitsOf(message.raw.substr(i * kImageBytes, kImageBytes));
    reply.raw.append(reinterpret_cast<const char*>(logits.data()), logits.size() * sizeof(float));
  }
  return reply;
}

Message SimulatedBoard::OnMeasure(const Message& message, Instant now) {
  const v1::MeasureRequest& request = message.envelope.measure_request();
  if (!refuse_measure.empty()) return ErrorReply(message, refuse_code, refuse_measure);
  for (const std::string& sha256 : request.network_sha256()) {
    if (!artifacts_.contains(sha256)) {
      return ErrorReply(message, StatusCode::kNotFound, "unknown network");
    }
  }
  if (const auto found = finished_.find(request.measure_id()); found != finished_.end()) {
    return found->second;
  }
  Message reply = Reply(message);
  v1::MeasureAccepted* accepted = reply.envelope.mutable_measure_accepted();
  accepted->set_measure_id(request.measure_id());
  accepted->set_eta_ms(eta_ms);
  accepted->set_queue_position(queue_position);
  if (running_.has_value()) {
    const bool same =
        running_->result.envelope.measure_result().measure_id() == request.measure_id();
    if (!same) return ErrorReply(message, StatusCode::kUnavailable, "busy");
    accepted->set_duplicate(true);
    return reply;
  }
  if (damaged_files > 0) {
    --damaged_files;
    Message damaged = Reply(message);
    v1::MeasureResult* result = damaged.envelope.mutable_measure_result();
    result->set_measure_id(request.measure_id());
    result->set_status(v1::REJECTED);
    result->set_detail("damaged");
    result->add_damaged_sha256(request.network_sha256(0));
    artifacts_.erase(request.network_sha256(0));
    running_ = Running{damaged, now, now};
    return reply;
  }
  last_kernel_choices = request.kernel_choices();
  int& executions = executions_[{request.measure_id(), boots_}];
  max_executions_ = std::max(max_executions_, ++executions);
  Running running{Reply(message), now + std::chrono::milliseconds(eta_ms), now + progress_every};
  v1::MeasureResult* result = running.result.envelope.mutable_measure_result();
  result->set_measure_id(request.measure_id());
  result->set_status(v1::OK);
  result->set_source("measured");
  result->set_kernel_choices(kernel_choices);
  if (num_next_status > 0) {
    --num_next_status;
    result->set_status(next_status);
    running_ = std::move(running);
    return reply;
  }
  for (const std::string& sha256 : request.network_sha256()) {
    v1::NetworkMeasurement* network = result->add_networks();
    network->set_network_sha256(sha256);
    network->set_latency_median_ns(LatencyOf(sha256));
    network->set_latency_low_ns(LatencyOf(sha256));
    network->set_latency_high_ns(LatencyOf(sha256));
    network->set_confidence(0.95);
    network->add_window_ns(LatencyOf(sha256));
    network->add_window_cpu_ns(LatencyOf(sha256));
  }
  running_ = std::move(running);
  return reply;
}

std::vector<Message> SimulatedBoard::Advance(Instant now) {
  if (inferring_ && now >= inferring_->done_at) {
    return {std::exchange(inferring_, std::nullopt)->result};
  }
  if (!running_.has_value()) return {};
  if (now < running_->done_at) {
    if (progress_every.count() == 0 || now < running_->next_progress) return {};
    running_->next_progress = now + progress_every;
    Message progress;
    progress.envelope.mutable_measure_progress()->set_measure_id(
        running_->result.envelope.measure_result().measure_id());
    return {progress};
  }
  Message result = std::move(running_->result);
  running_.reset();
  if (result.envelope.measure_result().damaged_sha256_size() == 0) {
    finished_[result.envelope.measure_result().measure_id()] = result;
  }
  return {result};
}

void SimulatedBoard::Reboot() {
  ++boots_;
  sessions_.clear();
  lease_session_.clear();
  running_.reset();
  inferring_.reset();
}

}  // namespace bitpilot
