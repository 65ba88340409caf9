#include "agent/study/event_chain.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "agent/study/field_writer.h"
#include "agent/study/measurement_blob.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

// Kinds that tell about this process and machine, or restate rows that are hashed themselves.
constexpr std::array<std::string_view, 8> kNoContent = {
    "agent", "board", "measurement", "artifact", "resume", "end", "checkpoint", "place"};

// What differs between two runs that did the same: names of measurements, how long they took, and
// whether a table was measured or is another search's.
constexpr std::array<const char*, 4> kNoContentKeys = {"measurement_id", "board_seconds",
                                                       "table_board_seconds", "table_origin"};
void EraseNoContent(nlohmann::json& value) {
  if (value.is_object()) {
    for (const char* key : kNoContentKeys) value.erase(key);
  }
  if (value.is_structured()) {
    for (nlohmann::json& child : value) EraseNoContent(child);
  }
}

std::string StablePayload(const std::string& payload) {
  auto json = nlohmann::json::parse(payload, nullptr, /*allow_exceptions=*/false);
  EraseNoContent(json);
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

StoredEvent ChainNext(const LogHead& head, std::int64_t run_id, std::int64_t utc_ns,
                      const NewEvent& event) {
  StoredEvent next;
  next.chained.event = {head.seq + 1, event.kind, event.payload};
  next.chained.prev_sha256 = head.seq == 0 ? std::string(kNoPreviousSha256) : head.sha256;
  next.chained.run_id = run_id;
  next.chained.utc_ns = utc_ns;
  next.sha256 = EventSha256(next.chained);
  next.blobs = event.blobs;
  return next;
}

std::string EventSha256(const ChainedEvent& row) {
  Sha256 hash;
  FieldWriter fields(hash);
  fields.Add(row.prev_sha256).Add(row.event.seq).Add(row.event.kind).Add(row.event.payload);
  fields.Add(row.run_id).Add(row.utc_ns);
  return ToHex(hash.Finish());
}

std::string MeasurementSha256(const MeasurementRow& row) { return Sha256Hex(MeasurementBlob(row)); }

std::string RunsSha256(std::span<const Run> runs) {
  Sha256 hash;
  FieldWriter fields(hash);
  for (const Run& run : runs) {
    fields.Add(run.run_id).Add(run.host).Add(run.pid).Add(run.boot_id).Add(run.started_utc_ns);
    fields.Add(run.ended_utc_ns).Add(run.exit_reason);
  }
  return ToHex(hash.Finish());
}

std::string ContentSha256(std::span<const Event> events,
                          std::span<const MeasurementRow> measurements) {
  Sha256 hash;
  FieldWriter fields(hash);
  for (const Event& event : events) {
    if (std::find(kNoContent.begin(), kNoContent.end(), event.kind) != kNoContent.end()) continue;
    fields.Add(event.kind).Add(StablePayload(event.payload));
  }
  for (const MeasurementRow& row : measurements) {
    fields.Add(row.candidate_id).Add(row.assignment).Add(row.tier).Add(row.status).Add(row.source);
    fields.Add(row.latency_median_ns).Add(row.latency_low_ns).Add(row.latency_high_ns);
    fields.Add(row.window_ns);
    if (row.energy) AddEnergy(row, fields);
  }
  return ToHex(hash.Finish());
}

}  // namespace bitpilot
