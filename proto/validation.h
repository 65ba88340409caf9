// Validation: what a well-framed message must satisfy before either side acts on it.
//
// These are the rules that need no state: sizes of ids and hashes, ranges, known enum values,
// parallel lists. Sessions, leases and stored artifacts are the daemon's business
// (device_daemon/core/daemon_core.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/base/status.h"
#include "proto/framing.h"

namespace bitpilot {

// HelloAck::protocol_minor, what a daemon can do beyond version kProtocolMajor alone:
//   1  takes golden pixels as a raw frame, names its limits, estimates what remains of a
//   measurement.
//   2  measures in longer windows (MeasureSpec::window_doublings).
//   3  leases PER_JOB, reservations that wait, priorities, roles, BoardStatus, draining; measures its
//   clock; choices of kernels that boards of a class share.
inline constexpr std::uint32_t kProtocolMinor = 3;

inline constexpr std::size_t kSessionIdBytes = 16;
inline constexpr std::size_t kMeasureIdBytes = 16;
inline constexpr std::size_t kSha256Bytes = 32;
inline constexpr std::size_t kChunkBytes = std::size_t{1} << 20;  // Largest ArtifactChunk.
inline constexpr std::uint64_t kMaxArtifactBytes = 32ULL << 20;   // Largest network file.
inline constexpr int kMaxNetworksPerMeasure = 64;
inline constexpr std::uint32_t kMaxWindowDoublings = 2;
inline constexpr std::size_t kMaxNameBytes = 256;  // Holder, build and study names.
inline constexpr std::uint32_t kMinLeaseTtlMs = 1'000;
inline constexpr std::uint32_t kMaxLeaseTtlMs = 600'000;
inline constexpr int kMaxPriority = 9;       // of a lease; the lowest is -9
inline constexpr int kMaxQueueEntries = 64;  // that BoardStatus tells of
inline constexpr std::size_t kMaxKernelChoicesBytes = std::size_t{256} << 10;
inline constexpr std::uint32_t kMaxDeadlineMs =
    86'400'000;  // A longer one is shortened to this: a day.

// Checks a message that an agent sends.
//
// Errors:
//   kInvalidArgument  names the field, what was expected and what came. A message that only a
//   daemon sends is
//                     one, too.
//   kDataCorrupt      an ArtifactChunk whose bytes do not match its CRC-32.
Status ValidateRequest(const Message& message);

// Checks a message that a daemon sends, in the same way.
Status ValidateReply(const Message& message);

}  // namespace bitpilot
