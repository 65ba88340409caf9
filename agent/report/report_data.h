// What a report shows, read from one study and nothing else.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/study/calibration_event.h"
#include "agent/study/episodes.h"
#include "agent/study/events.h"
#include "agent/study/final_event.h"
#include "agent/study/study.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct ReportData {
  std::string file_name;  // of the study, without its folder
  std::string config_json;
  std::vector<Run> runs;
  LogHead head;
  std::optional<LogProblem> problem_in_log;  // VerifyLog()
  std::string missing_end;                   // MissingEndText(), if it may lack its end

  std::optional<BoardEvent> board;
  std::vector<BoardInfo>
      class_boards;  // of each class that the search measures on, that one included
  std::map<ClassId, CalibrationEvent> calibrations;  // of each class the last one
  std::optional<ProblemEvent> problem;
  std::vector<AgentEvent> agents;            // one a run; none in studies of an older bitpilot
  std::vector<ProposalEvent> proposals;      // by step
  std::vector<TransitionEvent> transitions;  // by step; may be one shorter while the search runs
  std::optional<FinalEvent> final;
  std::optional<EndEvent> end;

  std::vector<BoardEvent> classes;  // one of each class that the search measures on, `board` first
  // Of each class, the boards that measured for it, as the fleet file calls them.
  std::map<ClassId, std::vector<std::string>> board_names;

  Episodes episodes;  // what was decided, and what came of it

  std::vector<MeasurementRow> measurements;              // in the order of the log
  std::vector<MeasurementConditions> conditions;         // parallel to `measurements`
  std::map<std::string, std::size_t> measurement_by_id;  // index into both

  // "" for real boards; else who answered, e.g. "MODEL:mpic"; of several classes one that did.
  std::string model_source;

  // No number is a measurement.
  bool is_model() const;
  bool has_several_classes() const { return classes.size() > 1; }
  // "bench-1, bench-2": all boards that measured for a class; of one board what it calls itself.
  std::string BoardNamesOf(const BoardEvent& on) const;

  // Latency of `ns` relative to the 8-bit reference of the search. REQUIRES: problem.
  double RatioOf(double ns) const { return ns / problem->uniform8.latency_ns; }

  // Validation accuracy of uniform 8 bit as the steps' are read: where weights train, both after as
  // many mini-batches (policies/reward.h). REQUIRES: problem.
  double uniform8_accuracy() const;

  // The measurement of a final row, if there was one.
  std::optional<std::size_t> MeasurementOf(const FinalRow& row) const;
};

// Errors: as Study::OpenReadOnly(), and kDataCorrupt for an event whose payload cannot be read;
// names its seq.
Result<ReportData> ReadReportData(const std::string& study_path);

}  // namespace bitpilot
