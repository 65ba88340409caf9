#include "proto/framing.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bitpilot {
namespace {

constexpr std::string_view kMagic = "BPLT";

using BodyCase = v1::Envelope::BodyCase;

struct BodyInfo {
  BodyCase body;
  std::string_view name;
  bool raw;
};

constexpr BodyInfo kBodies[] = {
    {BodyCase::kHello, "hello", false},
    {BodyCase::kHelloAck, "hello_ack", false},
    {BodyCase::kLeaseRequest, "lease_request", false},
    {BodyCase::kLeaseGrant, "lease_grant", false},
    {BodyCase::kLeaseDenied, "lease_denied", false},
    {BodyCase::kLeaseRelease, "lease_release", false},
    {BodyCase::kLeaseReleased, "lease_released", false},
    {BodyCase::kArtifactQuery, "artifact_query", false},
    {BodyCase::kArtifactStatus, "artifact_status", false},
    {BodyCase::kArtifactChunk, "artifact_chunk", true},
    {BodyCase::kInferRequest, "infer_request", true},
    {BodyCase::kInferResult, "infer_result", true},
    {BodyCase::kMeasureRequest, "measure_request", false},
    {BodyCase::kMeasureAccepted, "measure_accepted", false},
    {BodyCase::kMeasureProgress, "measure_progress", false},
    {BodyCase::kMeasureResult, "measure_result", false},
    {BodyCase::kMeasureCancel, "measure_cancel", false},
    {BodyCase::kResultAck, "result_ack", false},
    {BodyCase::kPing, "ping", false},
    {BodyCase::kPong, "pong", false},
    {BodyCase::kError, "error", false},
    {BodyCase::kEnergyRunRequest, "energy_run_request", false},
    {BodyCase::kEnergyRunResult, "energy_run_result", false},
    {BodyCase::kBoardBaseline, "board_baseline", false},
};

const BodyInfo* FindBody(int type) {
  const auto* found = std::find_if(std::begin(kBodies), std::end(kBodies), [&](const BodyInfo& i) {
    return static_cast<int>(i.body) == type;
  });
  return found == std::end(kBodies) ? nullptr : found;
}

std::uint8_t ByteAt(std::string_view bytes, std::size_t i) {
  return static_cast<std::uint8_t>(bytes[i]);
}

// Checks everything that can be checked without the protobuf parser, and finds the announced body.
Result<const BodyInfo*> CheckFrames(std::span<const std::string_view> frames) {
  if (frames.empty() || frames[0].size() != kPreludeBytes || !frames[0].starts_with(kMagic)) {
    return DataCorrupt("the first frame is not a bitpilot prelude (8 bytes that start with BPLT)");
  }
  const std::string_view prelude = frames[0];
  const int major = ByteAt(prelude, 4);
  if (major != kProtocolMajor) {
    return Status(StatusCode::kVersionMismatch, "protocol version " + std::to_string(major) +
                                                    " is not spoken here, only " +
                                                    std::to_string(kProtocolMajor));
  }
  const int flags = ByteAt(prelude, 5);
  if ((flags & ~kFlagRaw) != 0) {
    return DataCorrupt("unknown flags " + std::to_string(flags) + " in the prelude");
  }
  const int type = ByteAt(prelude, 6) | (ByteAt(prelude, 7) << 8);
  const BodyInfo* info = FindBody(type);
  if (info == nullptr) return DataCorrupt("unknown message type " + std::to_string(type));
  const bool raw = (flags & kFlagRaw) != 0;
  if (raw != info->raw) {
    return DataCorrupt(std::string(info->name) + " must " + (info->raw ? "" : "not ") +
                       "carry a raw frame");
  }
  const std::size_t num_frames = raw ? 3 : 2;
  if (frames.size() != num_frames) {
    return DataCorrupt(std::string(info->name) + " has " + std::to_string(num_frames) +
                       " frames, got " + std::to_string(frames.size()));
  }
  if (frames[1].size() > kMaxEnvelopeBytes) {
    return DataCorrupt("an envelope has at most " + std::to_string(kMaxEnvelopeBytes) +
                       " bytes, got " + std::to_string(frames[1].size()));
  }
  if (raw && frames[2].size() > kMaxRawBytes) {
    return DataCorrupt("a raw frame has at most " + std::to_string(kMaxRawBytes) + " bytes, got " +
                       std::to_string(frames[2].size()));
  }
  return info;
}

}  // namespace

bool CarriesRaw(BodyCase body) {
  const BodyInfo* info = FindBody(body);
  return info != nullptr && info->raw;
}

std::string_view BodyName(BodyCase body) {
  const BodyInfo* info = FindBody(body);
  return info == nullptr ? "nothing" : info->name;
}

std::vector<std::string> EncodeMessage(const Message& message) {
  const BodyInfo* info = FindBody(message.envelope.body_case());
  BITPILOT_CHECK(info != nullptr);
  BITPILOT_CHECK(info->raw || message.raw.empty());
  BITPILOT_CHECK(message.raw.size() <= kMaxRawBytes);
  const int type = info->body;
  std::string prelude(kMagic);
  prelude += static_cast<char>(kProtocolMajor);
  prelude += static_cast<char>(info->raw ? kFlagRaw : 0);
  prelude += static_cast<char>(type & 0xFF);
  prelude += static_cast<char>(type >> 8);
  std::vector<std::string> frames{std::move(prelude), message.envelope.SerializeAsString()};
  BITPILOT_CHECK(frames[1].size() <= kMaxEnvelopeBytes);
  if (info->raw) frames.push_back(message.raw);
  return frames;
}

Result<Message> DecodeMessage(std::span<const std::string_view> frames) {
  const Result<const BodyInfo*> info = CheckFrames(frames);
  if (!info.ok()) return info.status();
  Message message;
  if (!message.envelope.ParseFromArray(frames[1].data(), static_cast<int>(frames[1].size()))) {
    return DataCorrupt("the second frame is not an Envelope");
  }
  if (message.envelope.body_case() != (*info)->body) {
    return DataCorrupt("the prelude announces " + std::string((*info)->name) +
                       ", the envelope holds " +
                       std::string(BodyName(message.envelope.body_case())));
  }
  if ((*info)->raw) message.raw = std::string(frames[2]);
  return message;
}

v1::Error ToProto(const Status& status) {
  v1::Error error;
  error.set_code(static_cast<std::uint32_t>(status.code()));
  error.set_detail(status.message());
  return error;
}

Status FromProto(const v1::Error& error) {
  const bool known =
      error.code() != 0 && error.code() <= static_cast<std::uint32_t>(StatusCode::kInternal);
  return {known ? static_cast<StatusCode>(error.code()) : StatusCode::kInternal, error.detail()};
}

}  // namespace bitpilot
