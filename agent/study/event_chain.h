// The hashes that make a study's log tamper-evident: pure functions of the rows' values.
//
// Fields are hashed with their lengths in front, doubles by their bits, so that no two rows have
// the same image. The chain shows damage and careless edits. It holds no secret: who rewrites the
// whole file can rewrite the chain; against that, keep the head hash (Study::Head()) elsewhere.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "agent/study/event_store.h"
#include "agent/study/study.h"

namespace bitpilot {

// prev_sha256 of event 1.
inline constexpr std::string_view kNoPreviousSha256 =
    "0000000000000000000000000000000000000000000000000000000000000000";

// The event that follows `head` (LogHead() for the first of a log), numbered and chained.
StoredEvent ChainNext(const LogHead& head, std::int64_t run_id, std::int64_t utc_ns,
                      const NewEvent& event);

// Hex SHA-256 of all fields.
std::string EventSha256(const ChainedEvent& row);
std::string MeasurementSha256(const MeasurementRow& row);
std::string RunsSha256(std::span<const Run> runs);

// Study::ContentHash() of these rows, given in the order of their events.
std::string ContentSha256(std::span<const Event> events,
                          std::span<const MeasurementRow> measurements);

}  // namespace bitpilot
