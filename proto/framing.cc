#include "proto/framing.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernels/base/utf8.h"

namespace bitpilot {
namespace {

constexpr std::string_view kMagic = "BPLT";

using BodyCase = v1::Envelope::BodyCase;

// What the ids of a session add to an envelope at most.
constexpr std::size_t kSessionBytes = 256;

enum class Raw { kNever, kAlways, kIfLarge };

struct BodyInfo {
  BodyCase body;
  std::string_view name;
  Raw raw;
};

constexpr BodyInfo kBodies[] = {
    {BodyCase::kHello, "hello", Raw::kNever},
    {BodyCase::kHelloAck, "hello_ack", Raw::kNever},
    {BodyCase::kAnnounce, "announce", Raw::kNever},
    {BodyCase::kLeaseRequest, "lease_request", Raw::kNever},
    {BodyCase::kLeaseGrant, "lease_grant", Raw::kNever},
    {BodyCase::kLeaseDenied, "lease_denied", Raw::kNever},
    {BodyCase::kLeaseRelease, "lease_release", Raw::kNever},
    {BodyCase::kLeaseReleased, "lease_released", Raw::kNever},
    {BodyCase::kArtifactQuery, "artifact_query", Raw::kNever},
    {BodyCase::kArtifactStatus, "artifact_status", Raw::kNever},
    {BodyCase::kArtifactChunk, "artifact_chunk", Raw::kAlways},
    {BodyCase::kInferRequest, "infer_request", Raw::kAlways},
    {BodyCase::kInferResult, "infer_result", Raw::kAlways},
    {BodyCase::kMeasureRequest, "measure_request", Raw::kIfLarge},
    {BodyCase::kMeasureAccepted, "measure_accepted", Raw::kNever},
    {BodyCase::kMeasureProgress, "measure_progress", Raw::kNever},
    {BodyCase::kMeasureResult, "measure_result", Raw::kNever},
    {BodyCase::kMeasureCancel, "measure_cancel", Raw::kNever},
    {BodyCase::kResultAck, "result_ack", Raw::kNever},
    {BodyCase::kPing, "ping", Raw::kNever},
    {BodyCase::kPong, "pong", Raw::kNever},
    {BodyCase::kBoardStatusRequest, "board_status_request", Raw::kNever},
    {BodyCase::kBoardStatus, "board_status", Raw::kNever},
    {BodyCase::kDrainRequest, "drain_request", Raw::kNever},
    {BodyCase::kError, "error", Raw::kNever},
    {BodyCase::kEnergyRunRequest, "energy_run_request", Raw::kIfLarge},
    {BodyCase::kEnergyRunResult, "energy_run_result", Raw::kNever},
    {BodyCase::kBoardBaseline, "board_baseline", Raw::kNever},
};

const BodyInfo* FindBody(int type) {
  const auto* found = std::find_if(std::begin(kBodies), std::end(kBodies), [&](const BodyInfo& i) {
    return static_cast<int>(i.body) == type;
  });
  return found == std::end(kBodies) ? nullptr : found;
}

// The request whose golden pixels may be large; null for other messages.
const v1::MeasureRequest* MeasureIn(const v1::Envelope& envelope) {
  if (envelope.has_measure_request()) return &envelope.measure_request();
  if (envelope.has_energy_run_request()) return &envelope.energy_run_request().measure();
  return nullptr;
}

v1::MeasureRequest* MutableMeasureIn(v1::Envelope& envelope) {
  if (envelope.has_measure_request()) return envelope.mutable_measure_request();
  return envelope.mutable_energy_run_request()->mutable_measure();
}

std::size_t PixelBytes(const v1::Envelope& envelope) {
  const v1::MeasureRequest* measure = MeasureIn(envelope);
  return measure == nullptr ? 0 : measure->golden_pixels().size();
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
  if (info->raw != Raw::kIfLarge && raw != (info->raw == Raw::kAlways)) {
    return DataCorrupt(std::string(info->name) + " must " + (raw ? "not " : "") +
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
  return info != nullptr && info->raw == Raw::kAlways;
}

std::string_view BodyName(BodyCase body) {
  const BodyInfo* info = FindBody(body);
  return info == nullptr ? "nothing" : info->name;
}

bool NeedsRawPixels(const Message& message) {
  return PixelBytes(message.envelope) > 0 &&
         message.envelope.ByteSizeLong() + kSessionBytes > kMaxEnvelopeBytes;
}

bool FitsFrames(const Message& message) {
  std::size_t envelope_bytes = message.envelope.ByteSizeLong() + kSessionBytes;
  std::size_t raw_bytes = message.raw.size();
  if (NeedsRawPixels(message)) {
    raw_bytes = PixelBytes(message.envelope);
    envelope_bytes -= raw_bytes;
  }
  return envelope_bytes <= kMaxEnvelopeBytes && raw_bytes <= kMaxRawBytes;
}

std::vector<std::string> EncodeMessage(const Message& message) {
  const BodyInfo* info = FindBody(message.envelope.body_case());
  BITPILOT_CHECK(info != nullptr);
  BITPILOT_CHECK(info->raw == Raw::kAlways || message.raw.empty());
  const bool raw_pixels = NeedsRawPixels(message);
  const bool raw = info->raw == Raw::kAlways || raw_pixels;
  const int type = info->body;
  std::string prelude(kMagic);
  prelude += static_cast<char>(kProtocolMajor);
  prelude += static_cast<char>(raw ? kFlagRaw : 0);
  prelude += static_cast<char>(type & 0xFF);
  prelude += static_cast<char>(type >> 8);
  std::vector<std::string> frames{std::move(prelude)};
  if (raw_pixels) {
    v1::Envelope envelope = message.envelope;
    std::string pixels = std::move(*MutableMeasureIn(envelope)->mutable_golden_pixels());
    MutableMeasureIn(envelope)->clear_golden_pixels();
    frames.push_back(envelope.SerializeAsString());
    frames.push_back(std::move(pixels));
  } else {
    frames.push_back(message.envelope.SerializeAsString());
    if (raw) frames.push_back(message.raw);
  }
  BITPILOT_CHECK(frames[1].size() <= kMaxEnvelopeBytes);
  BITPILOT_CHECK(!raw || frames[2].size() <= kMaxRawBytes);
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
  if (frames.size() < 3) return message;
  if ((*info)->raw == Raw::kAlways) {
    message.raw = std::string(frames[2]);
  } else if (PixelBytes(message.envelope) == 0) {
    MutableMeasureIn(message.envelope)->set_golden_pixels(std::string(frames[2]));
  } else {
    return DataCorrupt("the golden pixels came twice, in the envelope and as a raw frame");
  }
  return message;
}

v1::Error ToProto(const Status& status) {
  v1::Error error;
  error.set_code(static_cast<std::uint32_t>(status.code()));
  // What messages quote, such as a file's name, need not be UTF-8; Protobuf's texts must be.
  error.set_detail(ToUtf8(status.message()));
  return error;
}

Status FromProto(const v1::Error& error) {
  const bool known =
      error.code() != 0 && error.code() <= static_cast<std::uint32_t>(StatusCode::kInternal);
  return {known ? static_cast<StatusCode>(error.code()) : StatusCode::kInternal, error.detail()};
}

}  // namespace bitpilot
