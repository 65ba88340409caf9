// Framing: how a message becomes ZeroMQ frames, and back.
//
//   frame 0   prelude, 8 bytes: "BPLT" | major u8 | flags u8 | type u16 little-endian
//   frame 1   v1::Envelope, serialized; at most kMaxEnvelopeBytes
//   frame 2   raw bytes, at most kMaxRawBytes; present exactly if flags has kFlagRaw
//
// Golden pixels that do not fit frame 1 travel as frame 2. In memory they are in their field
// always: EncodeMessage() takes them out and DecodeMessage() puts them back, so nobody else sees
// the difference. A peer of minor version 0 does not take them so (proto/validation.h).
//
// `type` is the field number of the envelope's body (v1::Envelope::BodyCase), so the prelude tells
// what follows before anything is parsed. Bytes from a peer are never trusted: every check that
// needs no parser comes first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"
#include "proto/bitpilot.pb.h"

namespace bitpilot {

inline constexpr std::uint8_t kProtocolMajor = 1;

inline constexpr std::size_t kPreludeBytes = 8;
inline constexpr std::uint8_t kFlagRaw =
    1;  // A raw frame follows the envelope; other flags are refused.

inline constexpr std::size_t kMaxEnvelopeBytes = std::size_t{1} << 20;
// HelloAck::max_frame_bytes. 1,365 CIFAR-10 images fit into one InferRequest.
inline constexpr std::size_t kMaxRawBytes = std::size_t{4} << 20;

// An envelope and, for ArtifactChunk, InferRequest and InferResult, its raw bytes (empty for all
// others).
struct Message {
  v1::Envelope envelope;
  std::string raw;
};

// True if every message with this body carries a raw frame.
bool CarriesRaw(v1::Envelope::BodyCase body);

// The body's name as in bitpilot.proto, e.g. "measure_request"; "nothing" if none is set.
std::string_view BodyName(v1::Envelope::BodyCase body);

// True if both frames keep their limits, also once a session has filled in its ids. What a user's
// networks make large is asked this before it is sent.
bool FitsFrames(const Message& message);

// True if the golden pixels need the raw frame.
bool NeedsRawPixels(const Message& message);

// Two or three frames.
//
// REQUIRES: a body is set, raw is empty unless CarriesRaw(), and both fit their limits
// (FitsFrames()).
std::vector<std::string> EncodeMessage(const Message& message);

// Never throws and never aborts, whatever the bytes. Unknown fields of known messages are ignored.
//
// Errors:
//   kVersionMismatch  another major version; the message names both.
//   kDataCorrupt      wrong number or sizes of frames, wrong magic, unknown flags or type,
//   unparsable envelope, or
//                     a body that is not what the prelude announced.
Result<Message> DecodeMessage(std::span<const std::string_view> frames);

// The wire's Error of a failure, and back. A code that this build does not know becomes kInternal.
v1::Error ToProto(const Status& status);
Status FromProto(const v1::Error& error);

}  // namespace bitpilot
