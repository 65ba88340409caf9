#include "proto/validation.h"

#include <cstring>
#include <string>
#include <string_view>

#include "proto/crc32.h"
#include "proto/energy_validation.h"
#include "proto/field_checks.h"
#include "proto/lease_validation.h"

namespace bitpilot {
namespace {

using BodyCase = v1::Envelope::BodyCase;

Status ValidateQuery(const v1::ArtifactQuery& query) {
  BITPILOT_RETURN_IF_ERROR(CheckSize("sha256", kSha256Bytes, query.sha256().size()));
  if (query.total_bytes() == 0 || query.total_bytes() > kMaxArtifactBytes) {
    return InvalidArgument("total_bytes must be in [1, " + std::to_string(kMaxArtifactBytes) +
                           "], got " + std::to_string(query.total_bytes()));
  }
  return {};
}

Status ValidateChunk(const v1::ArtifactChunk& chunk, std::string_view raw) {
  BITPILOT_RETURN_IF_ERROR(CheckSize("sha256", kSha256Bytes, chunk.sha256().size()));
  if (raw.empty() || raw.size() > kChunkBytes) {
    return InvalidArgument("a chunk has 1 to " + std::to_string(kChunkBytes) + " bytes, got " +
                           std::to_string(raw.size()));
  }
  if (chunk.offset() >= kMaxArtifactBytes) {
    return InvalidArgument("offset must be below " + std::to_string(kMaxArtifactBytes) + ", got " +
                           std::to_string(chunk.offset()));
  }
  if (chunk.crc32() != Crc32(raw)) {
    return DataCorrupt("the chunk at offset " + std::to_string(chunk.offset()) +
                       " does not match its CRC-32; send it again");
  }
  return {};
}

Status ValidateInfer(const v1::InferRequest& infer, std::string_view raw) {
  BITPILOT_RETURN_IF_ERROR(
      CheckSize("network_sha256", kSha256Bytes, infer.network_sha256().size()));
  if (infer.num_images() == 0 || raw.empty() || raw.size() % infer.num_images() != 0) {
    return InvalidArgument(std::to_string(raw.size()) + " raw bytes are not " +
                           std::to_string(infer.num_images()) + " images");
  }
  return {};
}

// The outputs are named, and have `num_values` values together.
Status CheckOutputs(const google::protobuf::RepeatedPtrField<v1::NamedOutput>& outputs,
                    std::uint64_t num_values) {
  std::uint64_t sum = 0;
  for (const v1::NamedOutput& output : outputs) {
    BITPILOT_RETURN_IF_ERROR(CheckName("outputs.name", output.name()));
    if (output.name().empty() || output.num_values() == 0) {
      return InvalidArgument("an output has a name and values, got '" + output.name() + "' with " +
                             std::to_string(output.num_values()));
    }
    sum += output.num_values();
  }
  if (sum == num_values) return {};
  return InvalidArgument("the outputs have " + std::to_string(sum) + " values together, expected " +
                         std::to_string(num_values));
}

Status ValidateGoldenOutputs(const v1::MeasureRequest& measure) {
  if (measure.golden_outputs().empty()) return {};
  if (measure.golden_outputs_size() != measure.network_sha256_size()) {
    return InvalidArgument("golden_outputs is parallel to network_sha256: expected " +
                           std::to_string(measure.network_sha256_size()) + " entries, got " +
                           std::to_string(measure.golden_outputs_size()));
  }
  for (int i = 0; i < measure.golden_outputs_size(); ++i) {
    BITPILOT_RETURN_IF_ERROR(CheckOutputs(measure.golden_outputs(i).outputs(),
                                          measure.golden_logits(i).size() / sizeof(float)));
  }
  return {};
}

Status CheckKernelChoices(const std::string& text) {
  if (text.size() <= kMaxKernelChoicesBytes) return {};
  return InvalidArgument("kernel_choices have at most " + std::to_string(kMaxKernelChoicesBytes) +
                         " bytes, got " + std::to_string(text.size()));
}

Status ValidateMeasure(const v1::MeasureRequest& measure) {
  BITPILOT_RETURN_IF_ERROR(CheckSize("measure_id", kMeasureIdBytes, measure.measure_id().size()));
  const int num_networks = measure.network_sha256_size();
  if (num_networks < 1 || num_networks > kMaxNetworksPerMeasure) {
    return InvalidArgument("network_sha256 has 1 to " + std::to_string(kMaxNetworksPerMeasure) +
                           " entries, got " + std::to_string(num_networks));
  }
  for (const std::string& sha256 : measure.network_sha256()) {
    BITPILOT_RETURN_IF_ERROR(CheckSize("network_sha256", kSha256Bytes, sha256.size()));
  }
  if (measure.golden_logits_size() != num_networks) {
    return InvalidArgument("golden_logits is parallel to network_sha256: expected " +
                           std::to_string(num_networks) + " entries, got " +
                           std::to_string(measure.golden_logits_size()));
  }
  for (const std::string& logits : measure.golden_logits()) {
    if (logits.empty() || logits.size() % sizeof(float) != 0) {
      return InvalidArgument("golden_logits are float32 values, got " +
                             std::to_string(logits.size()) + " bytes");
    }
  }
  BITPILOT_RETURN_IF_ERROR(ValidateGoldenOutputs(measure));
  if (measure.golden_pixels().empty()) return InvalidArgument("golden_pixels is empty");
  const v1::MeasureSpec::Tier tier = measure.spec().tier();
  if (tier == v1::MeasureSpec::TIER_UNSPECIFIED || !v1::MeasureSpec::Tier_IsValid(tier)) {
    return InvalidArgument("spec.tier must be SCREEN, STANDARD or AUDIT, got " +
                           std::to_string(static_cast<int>(tier)));
  }
  if (measure.spec().window_doublings() > kMaxWindowDoublings) {
    return InvalidArgument("spec.window_doublings must be at most " +
                           std::to_string(kMaxWindowDoublings) + ", got " +
                           std::to_string(measure.spec().window_doublings()));
  }
  return CheckKernelChoices(measure.kernel_choices());
}

// No network has others: kMaxStageMagnitude bounds what an accumulator becomes.
Status CheckLogitsFinite(std::string_view raw) {
  for (std::size_t at = 0; at + sizeof(float) <= raw.size(); at += sizeof(float)) {
    float logit = 0.0F;
    std::memcpy(&logit, raw.data() + at, sizeof logit);
    BITPILOT_RETURN_IF_ERROR(CheckFinite("a logit", logit));
  }
  return {};
}

Status ValidateLogits(const v1::InferResult& result, std::string_view raw) {
  const std::uint64_t image_bytes = std::uint64_t{result.num_classes()} * sizeof(float);
  if (image_bytes != 0 && result.num_images() != 0 && raw.size() % image_bytes == 0 &&
      raw.size() / image_bytes == result.num_images()) {
    if (!result.outputs().empty()) {
      BITPILOT_RETURN_IF_ERROR(CheckOutputs(result.outputs(), result.num_classes()));
    }
    return CheckLogitsFinite(raw);
  }
  return InvalidArgument(std::to_string(raw.size()) + " raw bytes are not the float32 logits of " +
                         std::to_string(result.num_images()) + " images and " +
                         std::to_string(result.num_classes()) + " classes");
}

Status ValidateNetworkMeasurement(const v1::NetworkMeasurement& network) {
  BITPILOT_RETURN_IF_ERROR(
      CheckSize("network_sha256", kSha256Bytes, network.network_sha256().size()));
  BITPILOT_RETURN_IF_ERROR(CheckPositive("latency_median_ns", network.latency_median_ns()));
  BITPILOT_RETURN_IF_ERROR(CheckPositive("latency_low_ns", network.latency_low_ns()));
  BITPILOT_RETURN_IF_ERROR(CheckPositive("latency_high_ns", network.latency_high_ns()));
  if (network.latency_low_ns() > network.latency_median_ns() ||
      network.latency_median_ns() > network.latency_high_ns()) {
    return InvalidArgument("latency_median_ns lies outside its interval");
  }
  BITPILOT_RETURN_IF_ERROR(CheckFinite("confidence", network.confidence()));
  if (!(network.confidence() >= 0.0 && network.confidence() <= 1.0)) {
    return InvalidArgument("confidence must be in [0, 1], got " +
                           std::to_string(network.confidence()));
  }
  for (const double window_ns : network.window_ns()) {
    BITPILOT_RETURN_IF_ERROR(CheckPositive("window_ns", window_ns));
  }
  for (const double window_ns : network.window_cpu_ns()) {
    BITPILOT_RETURN_IF_ERROR(CheckNotNegative("window_cpu_ns", window_ns));
  }
  if (network.window_ns_size() == 0 || network.window_cpu_ns_size() != network.window_ns_size()) {
    return InvalidArgument("window_ns and window_cpu_ns must be parallel and not empty, got " +
                           std::to_string(network.window_ns_size()) + " and " +
                           std::to_string(network.window_cpu_ns_size()));
  }
  BITPILOT_RETURN_IF_ERROR(CheckFinite("drift", network.drift()));
  for (const v1::OperationTime& operation : network.operations()) {
    BITPILOT_RETURN_IF_ERROR(
        CheckNotNegative("operations.latency_median_ns", operation.latency_median_ns()));
  }
  BITPILOT_RETURN_IF_ERROR(CheckFinite("model_energy", network.model_energy()));
  BITPILOT_RETURN_IF_ERROR(CheckNotNegative("model_energy_error", network.model_energy_error()));
  if (!network.has_energy()) return {};
  if (!network.no_energy_reason().empty()) {
    return InvalidArgument("an energy came with the reason why there is none: " +
                           network.no_energy_reason());
  }
  return ValidateEnergy(network.energy());
}

// The agent stores them as JSON, which has no other than finite numbers.
Status ValidateConditions(const v1::Conditions& conditions) {
  const struct {
    const char* name;
    double value;
  } numbers[] = {{"temperature_start_celsius", conditions.temperature_start_celsius()},
                 {"temperature_end_celsius", conditions.temperature_end_celsius()},
                 {"load_average", conditions.load_average()},
                 {"duration_ms", conditions.duration_ms()},
                 {"canary_lease_ns", conditions.canary_lease_ns()},
                 {"canary_ns", conditions.canary_ns()},
                 {"other_load", conditions.other_load()},
                 {"gate_wait_ms", conditions.gate_wait_ms()},
                 {"timed_ms", conditions.timed_ms()},
                 {"turn_wait_ms", conditions.turn_wait_ms()}};
  for (const auto& [name, value] : numbers) {
    BITPILOT_RETURN_IF_ERROR(CheckFinite(name, value));
  }
  const struct {
    const char* name;
    bool is_there;
    double value;
  } clocks[] = {
      {"clock_lease_mhz", conditions.has_clock_lease_mhz(), conditions.clock_lease_mhz()},
      {"clock_mhz", conditions.has_clock_mhz(), conditions.clock_mhz()},
      {"claimed_clock_mhz", conditions.has_claimed_clock_mhz(), conditions.claimed_clock_mhz()}};
  for (const auto& [name, is_there, value] : clocks) {
    if (is_there) BITPILOT_RETURN_IF_ERROR(CheckPositive(name, value));
  }
  return {};
}

Status ValidateResult(const v1::MeasureResult& result) {
  BITPILOT_RETURN_IF_ERROR(CheckSize("measure_id", kMeasureIdBytes, result.measure_id().size()));
  BITPILOT_RETURN_IF_ERROR(ValidateConditions(result.conditions()));
  const v1::MeasureStatus status = result.status();
  if (status == v1::MEASURE_STATUS_UNSPECIFIED || !v1::MeasureStatus_IsValid(status)) {
    return InvalidArgument("unknown measure status " + std::to_string(static_cast<int>(status)));
  }
  if (result.damaged_sha256_size() > 0 && status != v1::REJECTED) {
    return InvalidArgument("damaged_sha256 belongs to a REJECTED measurement, this one is " +
                           v1::MeasureStatus_Name(status));
  }
  for (const std::string& sha256 : result.damaged_sha256()) {
    BITPILOT_RETURN_IF_ERROR(CheckSize("damaged_sha256", kSha256Bytes, sha256.size()));
  }
  BITPILOT_RETURN_IF_ERROR(CheckKernelChoices(result.kernel_choices()));
  const bool has_numbers = status == v1::OK || status == v1::NOISY;
  if (has_numbers == (result.networks_size() == 0)) {
    return InvalidArgument(has_numbers ? "a measurement came without numbers"
                                       : "a failed measurement came with numbers");
  }
  for (const v1::NetworkMeasurement& network : result.networks()) {
    BITPILOT_RETURN_IF_ERROR(ValidateNetworkMeasurement(network));
    if (network.has_energy() && result.source() != "measured") {
      return InvalidArgument("a measured energy came from '" + result.source() +
                             "', which is a model");
    }
  }
  return {};
}

}  // namespace

Status ValidateRequest(const Message& message) {
  const v1::Envelope& envelope = message.envelope;
  if (envelope.body_case() == BodyCase::kHello) {
    BITPILOT_RETURN_IF_ERROR(CheckSize("session_id of hello", 0, envelope.session_id().size()));
    return CheckName("agent_build", envelope.hello().agent_build());
  }
  BITPILOT_RETURN_IF_ERROR(CheckSize("session_id", kSessionIdBytes, envelope.session_id().size()));
  switch (envelope.body_case()) {
    case BodyCase::kLeaseRequest:
      return ValidateLeaseRequest(envelope.lease_request());
    case BodyCase::kArtifactQuery:
      return ValidateQuery(envelope.artifact_query());
    case BodyCase::kArtifactChunk:
      return ValidateChunk(envelope.artifact_chunk(), message.raw);
    case BodyCase::kInferRequest:
      return ValidateInfer(envelope.infer_request(), message.raw);
    case BodyCase::kMeasureRequest:
      return ValidateMeasure(envelope.measure_request());
    case BodyCase::kMeasureCancel:
      return CheckSize("measure_id", kMeasureIdBytes,
                       envelope.measure_cancel().measure_id().size());
    case BodyCase::kResultAck:
      return CheckSize("measure_id", kMeasureIdBytes, envelope.result_ack().measure_id().size());
    case BodyCase::kDrainRequest:
      return CheckName("reason", envelope.drain_request().reason());
    case BodyCase::kLeaseRelease:
    case BodyCase::kPing:
    case BodyCase::kBoardStatusRequest:
      return {};
    default:
      return InvalidArgument("an agent does not send " +
                             std::string(BodyName(envelope.body_case())));
  }
}

Status ValidateReply(const Message& message) {
  const v1::Envelope& envelope = message.envelope;
  switch (envelope.body_case()) {
    case BodyCase::kAnnounce:
      return CheckSize("boot_id", kSessionIdBytes, envelope.announce().boot_id().size());
    case BodyCase::kHelloAck:
      BITPILOT_RETURN_IF_ERROR(
          CheckSize("session_id", kSessionIdBytes, envelope.hello_ack().session_id().size()));
      BITPILOT_RETURN_IF_ERROR(
          CheckSize("boot_id", kSessionIdBytes, envelope.hello_ack().boot_id().size()));
      if (!v1::Role_IsValid(envelope.hello_ack().role())) {
        return InvalidArgument("unknown role " +
                               std::to_string(static_cast<int>(envelope.hello_ack().role())));
      }
      if (!envelope.hello_ack().capabilities().has_energy()) return {};
      return ValidateCapability(envelope.hello_ack().capabilities().energy());
    case BodyCase::kLeaseGrant:
      return ValidateLeaseGrant(envelope.lease_grant());
    case BodyCase::kArtifactStatus:
      return CheckSize("sha256", kSha256Bytes, envelope.artifact_status().sha256().size());
    case BodyCase::kInferResult:
      return ValidateLogits(envelope.infer_result(), message.raw);
    case BodyCase::kMeasureAccepted:
      return CheckSize("measure_id", kMeasureIdBytes,
                       envelope.measure_accepted().measure_id().size());
    case BodyCase::kMeasureProgress:
      return CheckSize("measure_id", kMeasureIdBytes,
                       envelope.measure_progress().measure_id().size());
    case BodyCase::kMeasureResult:
      return ValidateResult(envelope.measure_result());
    case BodyCase::kBoardStatus:
      return ValidateBoardStatus(envelope.board_status());
    case BodyCase::kLeaseDenied:
    case BodyCase::kLeaseReleased:
    case BodyCase::kPong:
    case BodyCase::kError:
      return {};
    default:
      return InvalidArgument("a daemon does not send " +
                             std::string(BodyName(envelope.body_case())));
  }
}

}  // namespace bitpilot
