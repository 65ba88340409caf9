#include "experiments/reliability/measured_study.h"

#include <filesystem>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "agent/fleet/job_requests.h"
#include "agent/study/events.h"
#include "agent/study/study.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

// What was announced and has no row; empty if there is nothing.
Result<std::string> Unfinished(const Study& study) {
  const Result<std::vector<Event>> events = study.Events();
  if (!events.ok()) return events.status();
  const Result<std::vector<MeasurementRow>> rows = study.Measurements();
  if (!rows.ok()) return rows.status();
  std::set<std::string> recorded;
  for (const MeasurementRow& row : *rows) recorded.insert(row.candidate_id);
  for (const Event& event : *events) {
    if (event.kind != MeasuredStudy::kAnnouncedKind) continue;
    const std::string id = nlohmann::json::parse(event.payload).at("id");
    if (!recorded.contains(id)) return id;
  }
  return std::string();
}

MeasurementRow RowOf(const std::string& announced, const std::string& measurement_id,
                     const Measurement& measurement, const BoardInfo& board) {
  MeasurementRow row;
  row.measurement_id = measurement_id;
  row.candidate_id = announced;
  row.assignment = "{}";
  row.board = ToJson(board);
  row.tier = "SCREEN";
  row.status = ToString(measurement.status);
  row.detail = measurement.detail;
  row.source = measurement.source;
  MeasurementConditions conditions;
  if (HasNumbers(measurement.status)) {
    const NetworkMeasurement& network = measurement.networks[0];
    row.latency_median_ns = network.latency_median_ns;
    row.latency_low_ns = network.latency_low_ns;
    row.latency_high_ns = network.latency_high_ns;
    row.window_ns = network.window_ns;
    row.window_cpu_ns = network.window_cpu_ns;
    conditions.confidence = network.confidence;
    conditions.inferences_per_window = network.inferences_per_window;
  }
  row.conditions = ToJson(conditions);
  return row;
}

}  // namespace

MeasuredStudy::MeasuredStudy(std::unique_ptr<Study> study, std::string unfinished)
    : study_(std::move(study)), unfinished_(std::move(unfinished)) {}

MeasuredStudy::~MeasuredStudy() = default;

Result<std::unique_ptr<MeasuredStudy>> MeasuredStudy::Open(const std::string& path) {
  Result<std::unique_ptr<Study>> study = std::filesystem::exists(path)
                                             ? Study::OpenForResume(path)
                                             : Study::Create(path, R"({"experiment":"kill -9"})");
  if (!study.ok()) return study.status();
  Result<std::string> unfinished = Unfinished(**study);
  if (!unfinished.ok()) return unfinished.status();
  return std::unique_ptr<MeasuredStudy>(
      new MeasuredStudy(std::move(study).value(), std::move(unfinished).value()));
}

Result<std::string> MeasuredStudy::NextId() {
  if (unfinished_.empty()) {
    const std::string id = BytesToHex(NewMeasureId());
    BITPILOT_RETURN_IF_ERROR(study_->Append(kAnnouncedKind, nlohmann::json{{"id", id}}.dump()));
    unfinished_ = id;
  }
  return unfinished_;
}

Status MeasuredStudy::Record(const std::string& announced, const std::string& measurement_id,
                             const Measurement& measurement, const BoardInfo& board) {
  BITPILOT_RETURN_IF_ERROR(
      study_->AppendMeasurement(RowOf(announced, measurement_id, measurement, board)));
  unfinished_.clear();
  return {};
}

}  // namespace bitpilot
