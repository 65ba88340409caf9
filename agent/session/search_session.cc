#include "agent/session/search_session.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/results/final_comparison.h"
#include "agent/session/check_before_search.h"
#include "agent/session/live_parts.h"
#include "agent/session/search_driver.h"
#include "agent/study/class_fingerprints.h"
#include "agent/study/measurement_rows.h"
#include "agent/study/resume_command.h"
#include "kernels/base/atomic_file.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

StudyWait WaitOf(const SearchOptions& options) {
  StudyWait wait;
  wait.limit = std::nullopt;
  wait.notice = [observer = options.observer](const std::string& text) {
    observer->OnNotice(text);
  };
  wait.stop = options.stop;
  return wait;
}

// The failure of a search whose study exists.
Status WithHowToGoOn(const Status& failure, const std::string& study_path) {
  if (failure.code() == StatusCode::kVersionMismatch) return failure;
  return Status(failure.code(), failure.message() +
                                    ". What the study holds is saved; when that is mended, go on "
                                    "with `" +
                                    ResumeCommand(study_path) + "`");
}

Result<SearchOutcome> RunDriver(Study& study, const SearchConfig& config, LiveParts* parts,
                                const SearchOptions& options) {
  Result<Journal> journal = Journal::Open(study, Journal::AtEnd::kRecord);
  if (!journal.ok()) return journal.status();
  const Result<std::string> id = study.Id();
  if (!id.ok()) return id.status();
  const StudyFiles files(options.study_path, *id);
  if (parts != nullptr) BITPILOT_RETURN_IF_ERROR(files.CheckOwner());
  SearchDriver driver(config, *journal, files, parts, options);
  try {
    return driver.Run();
  } catch (const std::exception& error) {
    // LibTorch reports its failures by exceptions.
    return Status(StatusCode::kInternal, error.what());
  }
}

Result<SearchOutcome> RunLive(Study& study, const SearchConfig& config, LiveParts* parts,
                              const SearchOptions& options) {
  Result<SearchOutcome> outcome = RunDriver(study, config, parts, options);
  const Status closed = study.Close(!outcome.ok()          ? "failed"
                                    : outcome->interrupted ? "interrupted"
                                                           : "done");
  // Every event is saved already.
  if (!closed.ok()) options.observer->OnNotice(closed.message());
  if (!outcome.ok()) return WithHowToGoOn(outcome.status(), options.study_path);
  return outcome;
}

Status StoppedBeforeStudy(const std::string& study_path) {
  return Status(StatusCode::kAborted, "stopped before anything was begun: there is no study " +
                                          study_path + " yet, and the same command starts it");
}

Result<SearchConfig> StoredConfig(const Study& study) {
  const Json json = Json::parse(study.config_json(), nullptr, /*allow_exceptions=*/false);
  Result<SearchConfig> config = SearchConfigFromJson(json);
  if (!config.ok()) return config.status().WithContext(study.path()).AsCorruptInput();
  return config;
}

Result<bool> HasEnded(const Study& study) {
  const Result<std::vector<Event>> events = study.Events();
  if (!events.ok()) return events.status();
  // Who went on after the end, and did nothing yet, has left its name only.
  const auto last = std::find_if(events->rbegin(), events->rend(), [](const Event& event) {
    return event.kind != AgentEvent::kKind && event.kind != "resume";
  });
  return last != events->rend() && last->kind == EndEvent::kKind;
}

// What the study began with, by class.
Result<std::map<ClassId, BoardInfo>> LoggedBoards(const std::vector<Event>& events) {
  std::map<ClassId, BoardInfo> boards;
  for (const Event& event : events) {
    if (event.kind != BoardEvent::kKind) continue;
    Result<BoardEvent> parsed = ParseEvent<BoardEvent>(event.payload);
    if (!parsed.ok()) return parsed.status().WithContext("seq " + std::to_string(event.seq));
    boards.emplace(parsed->on, std::move(parsed->board));
  }
  return boards;
}

ConnectOptions ConnectOptionsOf(const SearchOptions& options) {
  return {options.observer,         options.stop,  options.max_wait,
          options.predicts_missing, options.lease, {}};
}

struct StudyFingerprints {
  std::vector<std::string> all;                            // ReplayReport::fingerprints
  std::map<ClassId, std::vector<std::string>> of_classes;  // ReplayReport::class_fingerprints
};

Result<StudyFingerprints> FingerprintsOf(const Study& study) {
  const Result<std::vector<MeasurementRow>> rows = study.Measurements();
  if (!rows.ok()) return rows.status();
  const Result<std::vector<Event>> events = study.Events();
  if (!events.ok()) return events.status();
  const Result<std::map<ClassId, BoardInfo>> boards = LoggedBoards(*events);
  if (!boards.ok()) return boards.status();
  std::vector<BoardInfo> infos;
  for (const auto& [on, info] : *boards) infos.push_back(info);
  Result<std::map<ClassId, std::vector<std::string>>> of_classes =
      ClassFingerprintsOf(*rows, infos);
  if (!of_classes.ok()) return of_classes.status();
  StudyFingerprints fingerprints{{}, std::move(*of_classes)};
  for (const MeasurementRow& row : *rows) {
    const Result<MeasurementConditions> conditions =
        ParseEvent<MeasurementConditions>(row.conditions);
    if (!conditions.ok()) return conditions.status().WithContext(row.measurement_id);
    const std::string& one = conditions->fingerprint;
    if (!row.latency_median_ns || one.empty()) continue;
    if (IsOfAnotherBoard(row, infos)) continue;
    std::vector<std::string>& all = fingerprints.all;
    if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
  }
  return fingerprints;
}

// ReplayReport::agent_builds.
Result<std::vector<std::string>> BuildsOf(const Study& study) {
  const Result<std::vector<Event>> events = study.Events();
  if (!events.ok()) return events.status();
  std::vector<std::string> builds;
  for (const Event& event : *events) {
    if (event.kind != AgentEvent::kKind) continue;
    const Result<AgentEvent> agent = ParseEvent<AgentEvent>(event.payload);
    if (!agent.ok()) return agent.status().WithContext("seq " + std::to_string(event.seq));
    if (std::find(builds.begin(), builds.end(), agent->build) == builds.end()) {
      builds.push_back(agent->build);
    }
  }
  return builds;
}

// Whether a search that has ended may measure `more`.
Status CheckExtension(const Study& study, const SearchConfig& config, int more) {
  if (config.policy == "ilp") {
    return InvalidArgument(
        "--resume --measurements: policy ilp measures one program's answers, and has none left; "
        "start "
        "a new search with more of them");
  }
  const Result<std::vector<Event>> events = study.Events();
  if (!events.ok()) return events.status();
  int measurements = config.measurements;
  for (const Event& event : *events) {
    if (event.kind != ConditionsEvent::kKind) continue;
    const Result<ConditionsEvent> conditions = ParseEvent<ConditionsEvent>(event.payload);
    if (!conditions.ok())
      return conditions.status().WithContext("seq " + std::to_string(event.seq));
    measurements = conditions->conditions.totals.measurements;
  }
  return CheckMeasurements(config, measurements, more).WithContext("--resume");
}

Status MakeFolderOf(const std::string& study_path) {
  const std::filesystem::path folder = std::filesystem::path(study_path).parent_path();
  if (folder.empty()) return Status();
  return MakeFolderDurably(folder.string()).WithContext("--study " + study_path);
}

// A watcher for replays, which have nobody to tell.
class SilentObserver final : public SearchObserver {
 public:
  void OnPhase(const std::string&, int) override {}
  void OnProgress(int, const std::string&) override {}
  void OnStep(const SearchProblem&, const ProposalEvent&, const TransitionEvent&, double) override {
  }
  void OnNotice(const std::string&) override {}
};

}  // namespace

Result<SearchOutcome> StartSearch(SearchConfig config, const SearchOptions& options) {
  const Result<ModelDefinition> definition = CheckNewSearch(config);
  if (!definition.ok()) return definition.status();
  BITPILOT_RETURN_IF_ERROR(MakeFolderOf(options.study_path));
  BITPILOT_RETURN_IF_ERROR(StudyFiles(options.study_path).CheckUnused());
  Result<std::unique_ptr<LiveParts>> parts =
      LoadLiveParts(*definition, config, ConnectOptionsOf(options));
  if (options.stop()) return StoppedBeforeStudy(options.study_path);
  if (!parts.ok()) return parts.status();
  Result<std::unique_ptr<Study>> study =
      Study::Create(options.study_path, ToJson(config).dump(), WaitOf(options));
  if (!study.ok()) return study.status();
  return RunLive(**study, config, parts->get(), options);
}

Result<SearchOutcome> ResumeSearch(const SearchOptions& asked) {
  SearchOptions options = asked;
  if (MayLackItsEnd(options.study_path)) {
    options.observer->OnNotice(MissingEndText(options.study_path));
  }
  Result<std::unique_ptr<Study>> study = Study::OpenForResume(options.study_path, WaitOf(options));
  if (!study.ok()) return study.status();
  const Result<bool> ended = HasEnded(**study);
  if (!ended.ok()) return ended.status();
  if (*ended && !options.more_measurements) {
    options.observer->OnNotice("the study had ended; this is its result");
    const Result<SearchConfig> config = StoredConfig(**study);
    if (!config.ok()) return config.status();
    return RunLive(**study, *config, nullptr, options);
  }
  const Result<SearchConfig> placed = PlacedConfig(**study);
  if (!placed.ok()) return placed.status();
  if (options.more_measurements && !*ended) {
    options.observer->OnNotice(
        "the search has not ended: it goes on under the budgets that it has, and --measurements is "
        "left out; give it again when it has ended");
    options.more_measurements.reset();
  }
  if (options.more_measurements) {
    BITPILOT_RETURN_IF_ERROR(CheckExtension(**study, *placed, *options.more_measurements));
  }
  Result<SearchConfig> config = Move(*placed, options.moved);
  if (!config.ok()) return config.status();
  const Result<ModelDefinition> definition = FindModel(config->model);
  if (!definition.ok()) {
    return Status(StatusCode::kVersionMismatch,
                  options.study_path + ": " + definition.status().message());
  }
  const Result<std::vector<Event>> events = (*study)->Events();
  if (!events.ok()) return events.status();
  Result<std::map<ClassId, BoardInfo>> boards = LoggedBoards(*events);
  if (!boards.ok()) return boards.status();
  ConnectOptions connect = ConnectOptionsOf(options);
  connect.expected = std::move(*boards);
  Result<std::unique_ptr<LiveParts>> parts = LoadLiveParts(*definition, *config, connect);
  if (!parts.ok() && options.stop()) {
    return Status(StatusCode::kAborted,
                  "stopped before it went on; the study is as it was: go on with `" +
                      ResumeCommand(options.study_path) + "`");
  }
  if (!parts.ok()) {
    // What the study itself names and is not as it was is no mistake in the command.
    const bool is_lost =
        parts.status().code() == StatusCode::kInvalidArgument && options.moved.empty();
    return Status(is_lost ? StatusCode::kNotFound : parts.status().code(),
                  parts.status().message() + ". What the study holds is saved: `" +
                      ResumeCommand(options.study_path) +
                      "` takes --weights, --data, --teacher, --device, --fleet, --board, --cpu and "
                      "--meter, if that has moved");
  }
  return RunLive(**study, *config, parts->get(), options);
}

Result<ReplayReport> VerifyReplay(const std::string& study_path) {
  Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(study_path);
  if (!study.ok()) return study.status();
  const Result<SearchConfig> config = StoredConfig(**study);
  if (!config.ok()) return config.status();
  Result<Journal> journal = Journal::Open(**study, Journal::AtEnd::kStop);
  if (!journal.ok()) return journal.status();
  SilentObserver observer;
  SearchOptions options;
  options.study_path = study_path;
  options.observer = &observer;
  options.stop = [] { return false; };
  const StudyFiles files(study_path);
  SearchDriver driver(*config, *journal, files, nullptr, options);
  const Result<SearchOutcome> outcome = driver.Run();
  if (!outcome.ok() && !IsEndOfLog(outcome.status())) return outcome.status();
  Result<StudyFingerprints> fingerprints = FingerprintsOf(**study);
  if (!fingerprints.ok()) return fingerprints.status();
  Result<std::vector<std::string>> builds = BuildsOf(**study);
  if (!builds.ok()) return builds.status();
  return ReplayReport{driver.decisions(),
                      journal->seq(),
                      outcome.ok(),
                      std::move(*builds),
                      std::move(fingerprints->all),
                      std::move(fingerprints->of_classes)};
}

}  // namespace bitpilot
