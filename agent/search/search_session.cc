#include "agent/search/search_session.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/device/local_board.h"
#include "agent/search/cpu_class.h"
#include "agent/search/final_comparison.h"
#include "agent/search/front.h"
#include "agent/search/live_parts.h"
#include "agent/search/problem_setup.h"
#include "policies/policy.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

bool IsRestrictedLocal(const SearchConfig& config) { return config.device.starts_with("local:"); }

// A resumed search must go on with the kernels, and a training one on the CPU class, that it began
// with.
Status CheckSameBoard(const BoardEvent& logged, const BoardInfo& board, bool searches_energy) {
  const auto compare = [](const std::string& what, const std::string& was, const std::string& is) {
    if (was == is) return Status();
    return Status(StatusCode::kVersionMismatch,
                  "the study began with " + what + " \"" + was + "\", the board now has \"" + is +
                      "\": their measurements cannot be mixed; start a new study");
  };
  BITPILOT_RETURN_IF_ERROR(compare("kernel build", logged.board.kernel_build, board.kernel_build));
  BITPILOT_RETURN_IF_ERROR(compare("backend", logged.board.backend, board.backend));
  BITPILOT_RETURN_IF_ERROR(compare("instruction set", logged.board.isa, board.isa));
  BITPILOT_RETURN_IF_ERROR(compare("CPU", logged.board.cpu_model, board.cpu_model));
  if (searches_energy) {
    BITPILOT_RETURN_IF_ERROR(
        compare("energy source", logged.board.energy.source, board.energy.source));
  }
  return Status();
}

// The driver. `parts` is null in a verification.
class Driver {
 public:
  Driver(const SearchConfig& config, Journal& journal, const StudyFiles& files, LiveParts* parts,
         const SearchOptions& options)
      : config_(config), journal_(journal), files_(files), parts_(parts), options_(options) {}

  int decisions() const { return static_cast<int>(proposals_.size()); }

  Result<SearchOutcome> Run() {
    const Result<ModelDefinition> definition = FindModel(config_.model);
    if (!definition.ok()) return definition.status();
    BITPILOT_RETURN_IF_ERROR(SettleBoard());
    const SearchResources resources = parts_ != nullptr ? parts_->resources() : SearchResources{};
    Result<SearchProblem> problem = SetUpProblem(definition->topology, config_, resources, journal_,
                                                 files_, *options_.observer, options_.stop);
    if (!problem.ok()) return Interruption(problem.status());
    Result<std::unique_ptr<Policy>> policy = MakePolicy(config_.policy, *problem, config_.seed);
    if (!policy.ok()) return policy.status();
    SearchEnvironment environment(config_, *problem, journal_, files_, resources, options_.stop);
    const Result<bool> finished = Search(environment, **policy);
    if (!finished.ok()) return finished.status();
    if (!*finished) return Outcome(/*interrupted=*/true);

    const std::vector<Finalist> finalists =
        ChooseFinalists(*problem, proposals_, environment.transitions());
    std::function<Result<std::unique_ptr<Board>>()> full_isa_board;
    if (IsRestrictedLocal(config_)) {
      full_isa_board = [this] {
        BoardOptions board_options;
        board_options.stop = options_.stop;
        board_options.notice = [this](const std::string& text) {
          options_.observer->OnNotice(text);
        };
        return StartLocalBoard("local", board_options);
      };
    }
    Result<FinalEvent> final =
        CompareFinalists(*problem, finalists,
                         {.energy = config_.energy != "none", .long_audit = options_.long_audit},
                         environment, resources, parts_ != nullptr ? &parts_->test : nullptr,
                         full_isa_board, journal_, files_, *options_.observer);
    if (!final.ok()) return Interruption(final.status());
    BITPILOT_RETURN_IF_ERROR(journal_.Decide(EndEvent{"done"}));
    SearchOutcome outcome = Outcome(/*interrupted=*/false);
    outcome.final = std::move(*final);
    return outcome;
  }

 private:
  Status SettleBoard() {
    const bool resumed = journal_.replaying();
    const Result<BoardEvent> board = journal_.Observe<BoardEvent>([this] {
      return Result<BoardEvent>(BoardEvent{parts_->board->info(), CpuClass()});
    });
    if (!board.ok()) return board.status();
    if (!resumed || parts_ == nullptr) return Status();
    BITPILOT_RETURN_IF_ERROR(
        CheckSameBoard(*board, parts_->board->info(), SearchesEnergy(config_)));
    const std::string change = DescribeFingerprintChange(board->board, parts_->board->info());
    if (!change.empty()) {
      options_.observer->OnNotice("the board is not as it was when the study began: " + change +
                                  "; ratios to 8 bit can be compared, latencies cannot");
    }
    return config_.train_batches > 0 ? SettleCpuClass(board->cpu_class) : Status();
  }

  // Training repeats exactly on one CPU class only.
  Status SettleCpuClass(const std::string& logged) {
    const std::string here = CpuClass();
    if (logged == here) return Status();
    if (options_.allow_class_change) return journal_.NoteClassChange(here);
    return Status(StatusCode::kVersionMismatch,
                  "the study trained on the CPU class \"" + logged + "\", this is \"" + here +
                      "\": its training would not repeat; resume there, or give "
                      "--allow-class-change");
  }

  // Proposes and steps until the budget is used or the policy has nothing left; false if
  // interrupted.
  Result<bool> Search(SearchEnvironment& environment, Policy& policy) {
    options_.observer->OnPhase("searching with " + policy.name(), config_.measurements);
    while (environment.measurements_left() > 0) {
      const std::vector<Proposal> batch =
          policy.Propose({decisions(), environment.measurements_left()});
      if (batch.empty()) break;
      for (const Proposal& proposal : batch) {
        if (journal_.recording() && options_.stop()) return false;
        ProposalEvent event;
        event.step = decisions();
        event.choice = proposal.choice;
        event.assignment_id = AssignmentId(ToAssignment(environment.problem(), proposal.choice));
        event.reason = proposal.reason;
        BITPILOT_RETURN_IF_ERROR(journal_.Decide(event));
        const std::optional<Transition> transition = environment.Step(proposal);
        if (!transition) {
          if (!environment.status().ok()) return environment.status();
          return false;
        }
        policy.Observe(*transition);
        proposals_.push_back(std::move(event));
        environment.KeepNetworks(
            ReportableSteps(environment.problem(), proposals_, environment.transitions()));
        Report(environment);
      }
    }
    return true;
  }

  // Who resumes has seen what the log answers.
  void Report(const SearchEnvironment& environment) const {
    if (!journal_.recording()) return;
    if (!environment.failure().empty()) {
      options_.observer->OnNotice("step " + std::to_string(decisions()) +
                                  " was not measured: " + environment.failure());
    }
    const TransitionEvent& answer = environment.transitions().back();
    const double ratio =
        answer.transition.latency_ns.value_or(0.0) / environment.problem().uniform8.latency_ns;
    options_.observer->OnStep(
        proposals_.back(), answer, ratio,
        MeasuredHypervolume(environment.problem(), environment.transitions()));
  }

  // A stop that the user asked for is an outcome, anything else an error.
  Result<SearchOutcome> Interruption(const Status& status) const {
    if (parts_ != nullptr && options_.stop()) return Outcome(/*interrupted=*/true);
    return status;
  }

  SearchOutcome Outcome(bool interrupted) const {
    SearchOutcome outcome;
    outcome.interrupted = interrupted;
    outcome.config = config_;
    outcome.decisions = decisions();
    return outcome;
  }

  const SearchConfig& config_;
  Journal& journal_;
  const StudyFiles& files_;
  LiveParts* parts_;
  const SearchOptions& options_;
  std::vector<ProposalEvent> proposals_;
};

Result<SearchOutcome> RunLive(Study& study, const SearchConfig& config, LiveParts* parts,
                              const SearchOptions& options) {
  Result<Journal> journal = Journal::Open(study, Journal::AtEnd::kRecord);
  if (!journal.ok()) return journal.status();
  const StudyFiles files(options.study_path);
  Driver driver(config, *journal, files, parts, options);
  Result<SearchOutcome> outcome = driver.Run();
  const Status closed = study.Close(!outcome.ok()          ? "failed"
                                    : outcome->interrupted ? "interrupted"
                                                           : "done");
  if (outcome.ok() && !closed.ok()) return closed;
  return outcome;
}

Result<SearchConfig> StoredConfig(const Study& study) {
  const Json json = Json::parse(study.config_json(), nullptr, /*allow_exceptions=*/false);
  Result<SearchConfig> config = SearchConfigFromJson(json);
  if (!config.ok()) return config.status().WithContext(study.path());
  return config;
}

Result<bool> HasEnded(const Study& study) {
  const Result<std::vector<Event>> events = study.Events();
  if (!events.ok()) return events.status();
  return !events->empty() && events->back().kind == EndEvent::kKind;
}

// ReplayReport::fingerprints.
Result<std::vector<std::string>> FingerprintsOf(const Study& study) {
  const Result<std::vector<MeasurementRow>> rows = study.Measurements();
  if (!rows.ok()) return rows.status();
  std::vector<std::string> fingerprints;
  for (const MeasurementRow& row : *rows) {
    const Result<MeasurementConditions> conditions =
        ParseEvent<MeasurementConditions>(row.conditions);
    if (!conditions.ok()) return conditions.status().WithContext(row.measurement_id);
    const std::string& one = conditions->fingerprint;
    if (!row.latency_median_ns || one.empty()) continue;
    if (row.measurement_id.starts_with(kFullIsaPrefix)) continue;
    if (std::find(fingerprints.begin(), fingerprints.end(), one) == fingerprints.end()) {
      fingerprints.push_back(one);
    }
  }
  return fingerprints;
}

// A watcher for replays, which have nobody to tell.
class SilentObserver final : public SearchObserver {
 public:
  void OnPhase(const std::string&, int) override {}
  void OnProgress(int, const std::string&) override {}
  void OnStep(const ProposalEvent&, const TransitionEvent&, double, double) override {}
  void OnNotice(const std::string&) override {}
};

}  // namespace

Result<SearchOutcome> StartSearch(SearchConfig config, const SearchOptions& options) {
  BITPILOT_RETURN_IF_ERROR(ValidateSearchConfig(config));
  const std::vector<std::string> policies = PolicyNames();
  if (std::find(policies.begin(), policies.end(), config.policy) == policies.end()) {
    // The registry's own message lists the known names.
    return MakePolicy(config.policy, SearchProblem{}, config.seed).status().WithContext("--policy");
  }
  const Result<ModelDefinition> definition = FindModel(config.model);
  if (!definition.ok()) return definition.status().WithContext("--model");
  Result<std::unique_ptr<LiveParts>> parts =
      LoadLiveParts(*definition, config, *options.observer, options.stop);
  if (!parts.ok()) return parts.status();
  Result<std::unique_ptr<Study>> study = Study::Create(options.study_path, ToJson(config).dump());
  if (!study.ok()) return study.status();
  return RunLive(**study, config, parts->get(), options);
}

Result<SearchOutcome> ResumeSearch(const SearchOptions& options) {
  Result<std::unique_ptr<Study>> study = Study::OpenForResume(options.study_path);
  if (!study.ok()) return study.status();
  Result<SearchConfig> config = StoredConfig(**study);
  if (!config.ok()) return config.status();
  const Result<bool> ended = HasEnded(**study);
  if (!ended.ok()) return ended.status();
  if (*ended) {
    options.observer->OnNotice("the study had ended; this is its result");
    return RunLive(**study, *config, nullptr, options);
  }
  const Result<ModelDefinition> definition = FindModel(config->model);
  if (!definition.ok()) return definition.status();
  Result<std::unique_ptr<LiveParts>> parts =
      LoadLiveParts(*definition, *config, *options.observer, options.stop);
  if (!parts.ok()) return parts.status();
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
  Driver driver(*config, *journal, files, nullptr, options);
  const Result<SearchOutcome> outcome = driver.Run();
  if (!outcome.ok() && !IsEndOfLog(outcome.status())) return outcome.status();
  Result<std::vector<std::string>> fingerprints = FingerprintsOf(**study);
  if (!fingerprints.ok()) return fingerprints.status();
  return ReplayReport{driver.decisions(), journal->seq(), outcome.ok(), std::move(*fingerprints)};
}

}  // namespace bitpilot
