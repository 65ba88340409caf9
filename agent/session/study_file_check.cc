#include "agent/session/study_file_check.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <utility>

#include "agent/model/model_definition.h"
#include "agent/results/reportable_trials.h"
#include "agent/session/moved_parts.h"
#include "agent/session/named_inputs.h"
#include "agent/session/problem_setup.h"
#include "agent/study/events.h"
#include "agent/study/search_config.h"
#include "agent/study/study.h"
#include "agent/study/study_files.h"

namespace bitpilot {
namespace {

struct NamedFile {
  StoredFile stored;
  bool needed = false;
};

// What the log says of files, and of what decides which are needed.
struct LoggedFiles {
  std::optional<ProblemEvent> problem;
  std::vector<ProposalEvent> proposals;
  std::vector<TransitionEvent> transitions;
  std::vector<CheckpointEvent> checkpoints;
  std::vector<PlaceEvent> places;
  std::vector<TrainedEvent> trained;
  std::vector<KeepsEvent> keeps;  // the last one
  std::vector<AdvanceEvent> advances;
  std::vector<StopEvent> stops;
  std::vector<AnchorEvent> anchors;
  std::vector<ArtifactEvent> artifacts;
  bool ended = false;
};

template <typename T>
Status Add(const Event& event, std::vector<T>& events) {
  Result<T> parsed = ParseEvent<T>(event.payload);
  if (!parsed.ok()) return parsed.status().WithContext("seq " + std::to_string(event.seq));
  events.push_back(std::move(*parsed));
  return Status();
}

Status Add(const Event& event, LoggedFiles& logged) {
  if (event.kind == ProposalEvent::kKind) return Add(event, logged.proposals);
  if (event.kind == TransitionEvent::kKind) return Add(event, logged.transitions);
  if (event.kind == CheckpointEvent::kKind) return Add(event, logged.checkpoints);
  if (event.kind == PlaceEvent::kKind) return Add(event, logged.places);
  if (event.kind == TrainedEvent::kKind) return Add(event, logged.trained);
  if (event.kind == AnchorEvent::kKind) return Add(event, logged.anchors);
  if (event.kind == ArtifactEvent::kKind) return Add(event, logged.artifacts);
  if (event.kind == EndEvent::kKind) logged.ended = true;
  if (event.kind == ConditionsEvent::kKind) logged.ended = false;  // it was extended
  if (event.kind == KeepsEvent::kKind) {
    logged.keeps.clear();
    return Add(event, logged.keeps);
  }
  if (event.kind == AdvanceEvent::kKind) return Add(event, logged.advances);
  if (event.kind == StopEvent::kKind) return Add(event, logged.stops);
  if (event.kind == ProblemEvent::kKind) {
    std::vector<ProblemEvent> problem;
    BITPILOT_RETURN_IF_ERROR(Add(event, problem));
    logged.problem = std::move(problem.front());
  }
  return Status();
}

// The steps whose networks must be there, ascending.
Result<std::vector<int>> NeededSteps(const SearchConfig& config, LoggedFiles& logged) {
  const Result<ModelDefinition> definition = FindModel(config.model);
  if (!definition.ok()) return definition.status();
  const Result<ProblemSetup> setup = ProblemOf(definition->topology, config, *logged.problem);
  if (!setup.ok()) return setup.status();
  // Answers come in another order than proposals, and some are in flight at the end.
  std::vector<ProposalEvent> answered;
  for (const TransitionEvent& transition : logged.transitions) {
    const auto proposal =
        std::find_if(logged.proposals.begin(), logged.proposals.end(),
                     [&](const ProposalEvent& each) { return each.step == transition.step; });
    if (proposal == logged.proposals.end()) {
      return DataCorrupt("the answer to step " + std::to_string(transition.step) +
                         " has no proposal");
    }
    answered.push_back(*proposal);
  }
  std::vector<int> steps;
  ReportableTrials reportable(setup->problem);
  reportable.Take(answered, logged.transitions);
  for (const int position : reportable.positions()) {
    steps.push_back(logged.transitions[static_cast<std::size_t>(position)].step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

// The places that a search needs to go on, or to be extended where it has ended: the start, what the
// policy keeps, what the last training left, and where it stopped or the last actions began.
std::set<TicketId> NeededPlaces(const LoggedFiles& logged) {
  std::set<TicketId> needed = {0};
  if (!logged.places.empty()) needed.insert(logged.places.back().ticket);
  for (const KeepsEvent& event : logged.keeps) {
    needed.insert(event.places.begin(), event.places.end());
  }
  if (logged.ended) {
    if (!logged.stops.empty()) needed.insert(logged.stops.back().at);
    return needed;
  }
  if (!logged.proposals.empty()) needed.insert(logged.proposals.back().from);
  if (!logged.advances.empty()) needed.insert(logged.advances.back().from);
  return needed;
}

Result<std::vector<NamedFile>> FilesOf(const SearchConfig& config, LoggedFiles logged) {
  std::vector<NamedFile> files;
  if (logged.problem) {
    const Result<std::vector<int>> needed = NeededSteps(config, logged);
    if (!needed.ok()) return needed.status();
    files.push_back({NetworkFile(logged.problem->uniform8_sha256, kOlderUniform8File), true});
    for (const TransitionEvent& event : logged.transitions) {
      const bool reportable = std::binary_search(needed->begin(), needed->end(), event.step);
      files.push_back({NetworkFile(event.network_sha256, OlderStepFile(event.step)), reportable});
    }
  }
  for (const CheckpointEvent& event : logged.checkpoints) {
    const bool last = &event == &logged.checkpoints.back();
    files.push_back({{event.sha256, event.file}, last && !logged.ended});
  }
  const std::set<TicketId> needed_places = NeededPlaces(logged);
  for (const PlaceEvent& event : logged.places) {
    files.push_back({{event.sha256, event.file}, needed_places.contains(event.ticket)});
  }
  for (const TrainedEvent& event : logged.trained) {
    if (event.score) files.push_back({NetworkFile(event.network_sha256, {}), true});
  }
  for (const AnchorEvent& event : logged.anchors) {
    if (!event.sha256.empty()) files.push_back({{event.sha256, event.file}, true});
    if (!event.losses_sha256.empty()) {
      files.push_back({{event.losses_sha256, event.losses_file}, true});
    }
  }
  for (const ArtifactEvent& event : logged.artifacts) {
    files.push_back({{event.sha256, event.file}, true});
  }
  return files;
}

}  // namespace

Result<StudyFileCheck> CheckStudyFiles(const std::string& study_path) {
  Result<std::unique_ptr<Study>> study = Study::OpenReadOnly(study_path);
  if (!study.ok()) return study.status();
  const Result<SearchConfig> config = PlacedConfig(**study);
  if (!config.ok()) return config.status();
  const Result<std::vector<Event>> events = (*study)->Events();
  if (!events.ok()) return events.status();
  LoggedFiles logged;
  for (const Event& event : *events) {
    BITPILOT_RETURN_IF_ERROR(Add(event, logged).WithContext(study_path));
  }
  const Result<std::vector<NamedFile>> named = FilesOf(*config, std::move(logged));
  if (!named.ok()) return named.status().WithContext(study_path);

  const Result<std::string> id = (*study)->Id();
  if (!id.ok()) return id.status();
  const StudyFiles files(study_path, *id);
  StudyFileCheck check;
  std::vector<StoredFile> done;
  for (const auto& [stored, needed] : *named) {
    const Result<std::string> content = files.Get(stored);
    const bool missing = content.status().code() == StatusCode::kNotFound;
    if (missing && !needed) continue;
    if (std::find(done.begin(), done.end(), stored) != done.end()) continue;
    done.push_back(stored);
    if (!content.ok()) {
      // Of a whole folder that is missing each file says the same.
      const std::string problem = content.status().message();
      const bool is_known =
          std::find(check.problems.begin(), check.problems.end(), problem) != check.problems.end();
      if (!is_known) check.problems.push_back(problem);
    } else if (stored.sha256.empty()) {
      ++check.num_without_hash;
    } else {
      ++check.num_verified;
    }
  }
  InputCheck inputs = CheckNamedInputs(*config, study_path);
  check.num_verified += inputs.num_verified;
  check.num_without_hash += inputs.num_without_hash;
  check.problems.insert(check.problems.end(), inputs.changed.begin(), inputs.changed.end());
  check.missing_inputs = std::move(inputs.missing);
  return check;
}

}  // namespace bitpilot
