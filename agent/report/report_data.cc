#include "agent/report/report_data.h"

#include <filesystem>
#include <utility>

#include "policies/reward.h"

namespace bitpilot {
namespace {

template <typename T>
Status Read(const Event& event, T& out) {
  Result<T> parsed = ParseEvent<T>(event.payload);
  if (!parsed.ok()) {
    return parsed.status().WithContext("event " + std::to_string(event.seq) + " (" + event.kind +
                                       ")");
  }
  out = std::move(*parsed);
  return Status();
}

Status ReadEvent(const Event& event, ReportData& data) {
  if (event.kind == AgentEvent::kKind) return Read(event, data.agents.emplace_back());
  if (event.kind == BoardEvent::kKind) {
    // The first one stands for the search; one of each class follows.
    BoardEvent board;
    BITPILOT_RETURN_IF_ERROR(Read(event, board));
    data.class_boards.push_back(board.board);
    if (!data.board || data.board->on == board.on) data.board = std::move(board);
    return Status();
  }
  if (event.kind == CalibrationEvent::kKind) {
    CalibrationEvent calibration;
    BITPILOT_RETURN_IF_ERROR(Read(event, calibration));
    data.calibrations[calibration.on] = calibration;
    return Status();
  }
  if (event.kind == ProblemEvent::kKind) return Read(event, data.problem.emplace());
  if (event.kind == ProposalEvent::kKind) return Read(event, data.proposals.emplace_back());
  if (event.kind == TransitionEvent::kKind) return Read(event, data.transitions.emplace_back());
  // Of a search that was extended the last ones count.
  if (event.kind == ConditionsEvent::kKind) data.end.reset();
  if (event.kind == FinalEvent::kKind) return Read(event, data.final.emplace());
  if (event.kind == EndEvent::kKind) return Read(event, data.end.emplace());
  return Status();
}

Status ReadMeasurements(const Study& study, ReportData& data) {
  Result<std::vector<MeasurementRow>> rows = study.Measurements();
  if (!rows.ok()) return rows.status();
  data.measurements = std::move(*rows);
  for (const MeasurementRow& row : data.measurements) {
    Result<MeasurementConditions> conditions = ParseEvent<MeasurementConditions>(row.conditions);
    if (!conditions.ok()) {
      return conditions.status().WithContext("measurement " + row.measurement_id);
    }
    data.measurement_by_id[row.measurement_id] = data.conditions.size();
    data.conditions.push_back(std::move(*conditions));
    if (row.source.starts_with("MODEL")) data.model_source = row.source;
  }
  if (data.board && data.board->board.is_model() && data.model_source.empty()) {
    data.model_source = "MODEL:" + data.board->board.backend;
  }
  return Status();
}

}  // namespace

double ReportData::uniform8_accuracy() const {
  if (episodes.problem.anchor.readings.empty()) return problem->uniform8.accuracy;
  return AnchoredReference(episodes.problem).accuracy;
}

std::optional<std::size_t> ReportData::MeasurementOf(const FinalRow& row) const {
  const auto found = measurement_by_id.find(row.measurement_id);
  return found == measurement_by_id.end() ? std::nullopt : std::optional(found->second);
}

Result<ReportData> ReadReportData(const std::string& study_path) {
  Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(study_path);
  if (!study.ok()) return study.status();
  Result<std::optional<LogProblem>> problem = VerifyLog(study_path);
  if (!problem.ok()) return problem.status();
  Result<LogHead> head = (*study)->Head();
  if (!head.ok()) return head.status();
  Result<std::vector<Run>> runs = (*study)->Runs();
  if (!runs.ok()) return runs.status();
  Result<std::vector<Event>> events = (*study)->Events();
  if (!events.ok()) return events.status();

  ReportData data;
  data.file_name = std::filesystem::path(study_path).filename();
  data.config_json = (*study)->config_json();
  data.runs = std::move(*runs);
  data.head = std::move(*head);
  data.problem_in_log = std::move(*problem);
  if (MayLackItsEnd(study_path)) data.missing_end = MissingEndText(data.file_name);
  for (const Event& event : *events) {
    BITPILOT_RETURN_IF_ERROR(ReadEvent(event, data).WithContext(study_path));
  }
  Result<Episodes> episodes = ReadEpisodes(data.config_json, *events);
  if (!episodes.ok()) return episodes.status().WithContext(study_path);
  data.episodes = std::move(*episodes);
  BITPILOT_RETURN_IF_ERROR(ReadMeasurements(**study, data).WithContext(study_path));
  return data;
}

}  // namespace bitpilot
