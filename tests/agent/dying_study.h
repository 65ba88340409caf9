#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "agent/study/events.h"
#include "agent/study/study.h"

namespace bitpilot {

// The study of a process that dies: after `events_left` more events nothing is written any more. The
// event by which a process says what it is does not count.
class DyingStudy final : public Study {
 public:
  DyingStudy(std::unique_ptr<Study> study, std::size_t events_left)
      : study_(std::move(study)), events_left_(events_left) {}

  const std::string& path() const override { return study_->path(); }
  std::string config_json() const override { return study_->config_json(); }
  Result<std::string> Id() const override { return study_->Id(); }
  Status Append(const std::string& kind, const std::string& payload_json) override {
    if (kind != AgentEvent::kKind) BITPILOT_RETURN_IF_ERROR(Spend(1));
    return study_->Append(kind, payload_json);
  }
  Status AppendMeasurements(std::span<const MeasurementRow> rows) override {
    BITPILOT_RETURN_IF_ERROR(Spend(rows.size()));
    return study_->AppendMeasurements(rows);
  }
  Status PutArtifact(const std::string& sha256, const std::string& kind,
                     const std::string& file) override {
    BITPILOT_RETURN_IF_ERROR(Spend(1));
    return study_->PutArtifact(sha256, kind, file);
  }
  Result<std::vector<Event>> Events() const override { return study_->Events(); }
  Result<std::optional<MeasurementRow>> FindMeasurement(const std::string& id) const override {
    return study_->FindMeasurement(id);
  }
  Result<std::vector<MeasurementRow>> Measurements() const override {
    return study_->Measurements();
  }
  Result<LogHead> Head() const override { return study_->Head(); }
  Result<std::vector<Run>> Runs() const override { return study_->Runs(); }
  Result<std::string> ContentHash() const override { return study_->ContentHash(); }
  Status Heartbeat() override { return study_->Heartbeat(); }
  Status Close(const std::string& reason) override { return study_->Close(reason); }

 private:
  Status Spend(std::size_t events) {
    if (events_left_ == 0) return Status(StatusCode::kAborted, "the process died here");
    events_left_ -= std::min(events, events_left_);
    return Status();
  }

  std::unique_ptr<Study> study_;
  std::size_t events_left_;
};

}  // namespace bitpilot
