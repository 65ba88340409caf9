#include "agent/study/log_index.h"

#include "agent/study/events.h"

namespace bitpilot {

Status LogIndex::Update(const EventSnapshot& snapshot) {
  return snapshot.ReadFrom(last_seq_ + 1, {}, [this](const StoredEvent& stored) {
    const Event& event = stored.chained.event;
    BITPILOT_RETURN_IF_ERROR(Add(event).WithContext("seq " + std::to_string(event.seq)));
    last_seq_ = event.seq;
    return Status();
  });
}

Status LogIndex::Add(const Event& event) {
  if (event.kind == MeasurementEvent::kKind) {
    Result<MeasurementEvent> measurement = ParseEvent<MeasurementEvent>(event.payload);
    if (!measurement.ok()) return measurement.status();
    if (!measurement->measure_id.empty()) requests_.insert(std::move(measurement->measure_id));
    measurements_.emplace(std::move(measurement->measurement_id), event.seq);
  } else if (event.kind == ArtifactEvent::kKind) {
    Result<ArtifactEvent> artifact = ParseEvent<ArtifactEvent>(event.payload);
    if (!artifact.ok()) return artifact.status();
    artifacts_.emplace(std::move(artifact->sha256), std::move(artifact->file));
  }
  return Status();
}

std::optional<std::int64_t> LogIndex::FindMeasurement(const std::string& measurement_id) const {
  const auto found = measurements_.find(measurement_id);
  return found == measurements_.end() ? std::nullopt : std::optional(found->second);
}

bool LogIndex::HasArtifact(const std::string& sha256, const std::string& file) const {
  return artifacts_.contains({sha256, file});
}

}  // namespace bitpilot
