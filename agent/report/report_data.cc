#include "agent/report/report_data.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "agent/study/measurement_rows.h"
#include "agent/study/model_source.h"
#include "kernels/base/joined.h"
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
    const auto known = std::find_if(data.classes.begin(), data.classes.end(),
                                    [&](const BoardEvent& each) { return each.on == board.on; });
    if (known == data.classes.end()) {
      data.classes.push_back(board);
    } else {
      *known = board;
    }
    data.board = data.classes.front();
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

void NoteBoard(const MeasurementRow& row, const MeasurementConditions& conditions,
               ReportData& data) {
  if (conditions.board_name.empty() || IsOfAnotherBoard(row, data.class_boards)) return;
  std::vector<std::string>& names = data.board_names[conditions.on];
  if (std::find(names.begin(), names.end(), conditions.board_name) == names.end()) {
    names.push_back(conditions.board_name);
  }
}

void NoteModel(const std::string& source, ReportData& data) {
  std::vector<std::string>& all = data.model_sources;
  if (std::find(all.begin(), all.end(), source) == all.end()) all.push_back(source);
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
    if (IsModelSource(row.source)) NoteModel(row.source, data);
    NoteBoard(row, *conditions, data);
    data.conditions.push_back(std::move(*conditions));
  }
  if (data.board && data.board->board.is_model() && data.model_sources.empty()) {
    NoteModel("MODEL:" + data.board->board.backend, data);
  }
  return Status();
}

}  // namespace

bool ReportData::is_model() const {
  return !model_sources.empty() &&
         std::all_of(classes.begin(), classes.end(),
                     [](const BoardEvent& each) { return each.board.is_model(); });
}

std::string ReportData::BoardNamesOf(const BoardEvent& on) const {
  const auto names = board_names.find(on.on);
  // One board is called what it calls itself.
  const bool has_names =
      names != board_names.end() && (has_several_classes() || names->second.size() > 1);
  return has_names ? Joined(names->second) : on.board.name;
}

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
