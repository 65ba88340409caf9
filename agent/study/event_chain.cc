#include "agent/study/event_chain.h"

#include <algorithm>
#include <array>
#include <bit>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

// Kinds that tell about this process and machine, or restate rows that are hashed themselves.
constexpr std::array<std::string_view, 8> kNoContent = {
    "agent", "board", "measurement", "artifact", "resume", "end", "checkpoint", "place"};

// Collects fields, each with its length in front.
class FieldHash {
 public:
  FieldHash& Add(std::int64_t value) {
    std::array<char, 8> bytes;
    auto bits = static_cast<std::uint64_t>(value);
    for (char& byte : bytes) {
      byte = static_cast<char>(bits & 0xff);
      bits >>= 8;
    }
    hash_.Update(bytes.data(), bytes.size());
    return *this;
  }
  FieldHash& Add(std::string_view text) {
    Add(static_cast<std::int64_t>(text.size()));
    hash_.Update(text);
    return *this;
  }
  FieldHash& Add(double value) { return Add(std::bit_cast<std::int64_t>(value)); }
  FieldHash& Add(const std::optional<double>& value) {
    Add(static_cast<std::int64_t>(value.has_value()));
    return value ? Add(*value) : *this;
  }
  FieldHash& Add(const std::vector<double>& values) {
    Add(static_cast<std::int64_t>(values.size()));
    for (const double value : values) Add(value);
    return *this;
  }
  std::string Hex() { return ToHex(hash_.Finish()); }

 private:
  Sha256 hash_;
};

void AddEnergy(const MeasurementRow& row, FieldHash& hash) {
  const MeasuredEnergy& energy = *row.energy;
  hash.Add(ToString(TierOf(energy.sensor()))).Add(energy.source());
  std::optional<double> net_uj, net_uncertainty_uj;
  if (energy.net()) {
    net_uj = energy.net()->value_uj;
    net_uncertainty_uj = energy.net()->uncertainty_uj;
  }
  hash.Add(energy.gross().value_uj).Add(energy.gross().uncertainty_uj);
  hash.Add(net_uj).Add(net_uncertainty_uj).Add(row.energy_window_uj);
}

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

std::string EventSha256(const ChainedEvent& row) {
  return FieldHash()
      .Add(row.prev_sha256)
      .Add(row.event.seq)
      .Add(row.event.kind)
      .Add(row.event.payload)
      .Add(row.run_id)
      .Add(row.utc_ns)
      .Hex();
}

std::string MeasurementSha256(const MeasurementRow& row) {
  FieldHash hash;
  for (const std::string* text :
       {&row.measurement_id, &row.candidate_id, &row.assignment, &row.board, &row.tier, &row.status,
        &row.detail, &row.source, &row.conditions}) {
    hash.Add(*text);
  }
  hash.Add(row.latency_median_ns).Add(row.latency_low_ns).Add(row.latency_high_ns);
  hash.Add(row.window_ns).Add(row.window_cpu_ns);
  // Rows without energy hash as they did before there was any.
  if (row.energy) AddEnergy(row, hash);
  return hash.Hex();
}

std::string RunsSha256(std::span<const Run> runs) {
  FieldHash hash;
  for (const Run& run : runs) {
    hash.Add(run.run_id).Add(run.host).Add(run.pid).Add(run.boot_id).Add(run.started_utc_ns);
    hash.Add(run.ended_utc_ns).Add(run.exit_reason);
  }
  return hash.Hex();
}

std::string ContentSha256(std::span<const Event> events,
                          std::span<const MeasurementRow> measurements) {
  FieldHash hash;
  for (const Event& event : events) {
    if (std::find(kNoContent.begin(), kNoContent.end(), event.kind) != kNoContent.end()) continue;
    hash.Add(event.kind).Add(StablePayload(event.payload));
  }
  for (const MeasurementRow& row : measurements) {
    hash.Add(row.candidate_id).Add(row.assignment).Add(row.tier).Add(row.status).Add(row.source);
    hash.Add(row.latency_median_ns).Add(row.latency_low_ns).Add(row.latency_high_ns);
    hash.Add(row.window_ns);
    if (row.energy) AddEnergy(row, hash);
  }
  return hash.Hex();
}

}  // namespace bitpilot
