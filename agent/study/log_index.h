// LogIndex: where in the log a measurement or an artifact is, by what names it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "agent/study/event_store.h"
#include "kernels/base/status.h"

namespace bitpilot {

class LogIndex {
 public:
  // Reads the events that were appended since the last call.
  //
  // Errors: the snapshot's; kDataCorrupt for an event that cannot be parsed.
  Status Update(const EventSnapshot& snapshot);

  // Sequence number of the event of that measurement.
  std::optional<std::int64_t> FindMeasurement(const std::string& measurement_id) const;
  // Whether rows of that request are there (MeasurementEvent::measure_id).
  bool HasRequest(const std::string& measure_id) const { return requests_.contains(measure_id); }
  bool HasArtifact(const std::string& sha256, const std::string& file) const;

 private:
  Status Add(const Event& event);

  std::int64_t last_seq_ = 0;  // of the events read so far
  std::unordered_map<std::string, std::int64_t> measurements_;
  std::unordered_set<std::string> requests_;
  std::set<std::pair<std::string, std::string>> artifacts_;  // hash and file
};

}  // namespace bitpilot
