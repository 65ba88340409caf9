#include "agent/session/search_driver.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/device/local_board.h"
#include "agent/results/final_comparison.h"
#include "agent/results/final_training.h"
#include "agent/session/action_events.h"
#include "agent/session/agent_build.h"
#include "agent/session/cpu_class.h"
#include "agent/session/search_board.h"
#include "agent/session/twin.h"
#include "kernels/base/number_text.h"
#include "policies/multiple_choice.h"

namespace bitpilot {
namespace {

// How many rounds of decisions apart a resume finds what the policy needs: what it has to decide
// again is less than that.
constexpr int kRoundsBetweenStates = 16;

}  // namespace

SearchDriver::SearchDriver(const SearchConfig& config, Journal& journal, const StudyFiles& files,
                           LiveParts* parts, const SearchOptions& options)
    : config_(config),
      journal_(journal),
      files_(files),
      parts_(parts),
      options_(options),
      training_(config, base_, files, parts != nullptr ? &*parts->model : nullptr,
                parts != nullptr ? &parts->images : nullptr,
                parts != nullptr ? &parts->calibration : nullptr, options.stop) {}

Result<SearchOutcome> SearchDriver::Run() {
  const Result<ModelDefinition> definition = FindModel(config_.model);
  if (!definition.ok()) return definition.status();
  // A new log says first who writes it. A resume that is refused leaves the study as it was.
  const bool resumed = journal_.replaying();
  const auto note_agent = [this] {
    return parts_ == nullptr ? Status() : journal_.NoteAgent(AgentBuild(), IntegerProgramSolver());
  };
  if (!resumed) BITPILOT_RETURN_IF_ERROR(note_agent());
  BITPILOT_RETURN_IF_ERROR(SettleBoards());
  if (resumed) BITPILOT_RETURN_IF_ERROR(note_agent());
  const SearchResources resources =
      parts_ != nullptr ? parts_->resources(config_) : SearchResources{};
  BoardPoolTimes times;
  times.max_wait = options_.max_wait;
  // Before its boards were compared there is no table either: nothing to predict from.
  if (options_.predicts_missing && !times.max_wait) times.max_wait = kPredictAfter;
  pools_.emplace(config_, definition->topology, resources.boards, journal_, *options_.observer,
                 options_.stop, times);
  if (const Status settled = pools_->Settle(); !settled.ok()) return Interruption(settled);
  Result<ProblemSetup> setup = SetUpProblem(definition->topology, config_, resources, journal_,
                                            files_, *options_.observer, options_.stop);
  if (!setup.ok()) return Interruption(setup.status());
  SearchProblem& problem = setup->problem;
  problem_ = &problem;
  base_ = problem.base;
  const Result<StoredFile> start = SettleStart();
  if (!start.ok()) return Interruption(start.status());
  Result<AnchorEvent> twin = SettleTwin(config_, problem, *start, training_, TwinCache::OfUser(),
                                        journal_, files_, *options_.observer);
  if (!twin.ok()) return Interruption(twin.status());
  twin_ = std::move(*twin);
  problem.anchor = twin_.anchor;
  Result<std::unique_ptr<Policy>> policy = PreparePolicy(problem);
  if (!policy.ok()) return policy.status();

  Result<TwinLosses> losses =
      parts_ != nullptr ? LossesOf(twin_, files_) : Result<TwinLosses>(TwinLosses());
  if (!losses.ok()) return losses.status();
  SearchEnvironment environment(config_, problem, *start, setup->uniform8, std::move(*losses),
                                resources.boards, *pools_, training_, journal_, files_,
                                options_.stop);
  environment.TakeTables(std::move(setup->class_tables));
  SearchOutcome outcome;
  while (true) {
    const Result<bool> finished = Search(environment, **policy);
    if (!finished.ok()) return Interruption(finished.status());
    if (!*finished) return Outcome(/*interrupted=*/true);
    Result<FinalEvent> final = Finish(*setup, environment);
    if (!final.ok()) return Interruption(final.status());
    outcome = Outcome(/*interrupted=*/false);
    outcome.final = std::move(*final);
    outcome.anchor = problem.anchor;
    outcome.calibrations = pools_->Decisions();
    const Result<bool> extended = IsExtended(environment);
    if (!extended.ok()) return extended.status();
    if (!*extended) return outcome;
  }
}

// The integer program's answers are observed: they depend on the solver's version.
Result<std::unique_ptr<Policy>> SearchDriver::PreparePolicy(const SearchProblem& problem) {
  if (!StartsWithIntegerProgram(config_.policy)) {
    return MakePolicy(config_.policy, problem, config_.seed, config_.policy_options);
  }
  const Result<CostModel> cost = CostModel::Create(problem);
  if (!cost.ok()) return cost.status();
  const int num_answers = NumIntegerProgramAnswers(config_.policy, problem);
  const Result<AnswersEvent> answers = journal_.Observe<AnswersEvent>(
      [&]() -> Result<AnswersEvent> {
        Result<IntegerProgramAnswers> solved = SolveIntegerProgram(problem, *cost, num_answers);
        if (!solved.ok()) return solved.status();
        return AnswersEvent{std::move(*solved)};
      },
      [&](const AnswersEvent& logged) -> Result<AnswersEvent> {
        BITPILOT_RETURN_IF_ERROR(CheckIntegerProgram(problem, *cost, num_answers, logged.program));
        return logged;
      });
  if (!answers.ok()) return answers.status();
  program_ = answers->program;
  return MakePolicy(config_.policy, problem, config_.seed, *program_, config_.policy_options);
}

Status SearchDriver::SettleBoards() {
  // Everything is checked before anything is noted.
  std::vector<BoardEvent> logged;
  for (const ClassId& on : ClassesOf(config_)) {
    const Result<BoardEvent> board = journal_.Observe<BoardEvent>([&] {
      return Result<BoardEvent>(
          BoardEvent{parts_->BoardsOf(config_).BoardOf(on).info(), CpuClass(), on});
    });
    if (!board.ok()) return board.status();
    if (board->on != on) {
      return DataCorrupt("the log begins with a board of " + ClassLabel(board->on) +
                         " where one of " + ClassLabel(on) + " belongs");
    }
    logged.push_back(*board);
  }
  if (parts_ == nullptr) return Status();
  const bool trains = config_.train_batches > 0 || config_.final_batches.value_or(0) > 0;
  const bool new_class = trains && logged.front().cpu_class != CpuClass();
  for (const BoardEvent& board : logged) {
    BITPILOT_RETURN_IF_ERROR(CheckSameBoard(
        board.board, parts_->BoardsOf(config_).BoardOf(board.on).info(), SearchesEnergy(config_)));
  }
  if (new_class) BITPILOT_RETURN_IF_ERROR(CheckClassChange(logged.front().cpu_class));
  if (parts_->board) {
    const std::string change =
        DescribeFingerprintChange(logged.front().board, parts_->board->info());
    if (!change.empty()) {
      options_.observer->OnNotice("the board is not as it was when the study began: " + change +
                                  "; ratios to 8 bit can be compared, latencies cannot");
    }
  }
  if (!options_.moved.empty()) {
    BITPILOT_RETURN_IF_ERROR(journal_.NotePlaces(PlacesOf(config_)));
  }
  return new_class ? journal_.NoteClassChange(CpuClass()) : Status();
}

// Training repeats exactly on one CPU class only.
Status SearchDriver::CheckClassChange(const std::string& logged) const {
  if (options_.allow_class_change) return Status();
  return Status(StatusCode::kVersionMismatch,
                "the study trained on the CPU class \"" + logged + "\", this is \"" + CpuClass() +
                    "\": its training would not repeat; resume there, or give "
                    "--allow-class-change");
}

Result<StoredFile> SearchDriver::SettleStart() {
  if (!training_.trains()) return StoredFile{};
  const Result<PlaceEvent> place = journal_.Observe<PlaceEvent>(
      [&]() -> Result<PlaceEvent> {
        const Result<StoredFile> file = training_.SaveStart();
        if (!file.ok()) return file.status();
        return PlaceEvent{0, file->sha256, file->file, std::nullopt, false};
      },
      [](const PlaceEvent& logged) -> Result<PlaceEvent> {
        return PlaceEvent{0, logged.sha256,
                          StudyFileName(StudyFileKind::kCheckpoint, logged.sha256), std::nullopt,
                          false};
      });
  if (!place.ok()) return place.status();
  return StoredFile{place->sha256, place->file};
}

Result<bool> SearchDriver::Search(SearchEnvironment& environment, Policy& policy) {
  // Where the log is left: what it answers takes no time, and was told when it was new.
  bool is_announced = false;
  bool knows_totals = false;  // of this search, which may be an extension
  const auto announce = [&] {
    if (is_announced || !knows_totals || journal_.replaying()) return;
    is_announced = true;
    const int measurements = environment.view().conditions()->totals.measurements;
    // Each takes one measurement a class.
    const int classes = static_cast<int>(ClassesOf(config_).size());
    const int candidates = measurements / classes;
    std::string name = "searching with " + policy.name();
    if (classes > 1) {
      name += ": " + Counted(measurements, "measurement") + " are " +
              Counted(candidates, "candidate") + " on each of " + std::to_string(classes) +
              " classes";
    }
    options_.observer->OnPhase(name, candidates);
  };
  // What a resume goes on from. A verification believes nothing.
  const std::int64_t trusted_until = journal_.verifies() ? 0 : journal_.last_policy_seq();
  while (true) {
    environment.TrustLog(journal_.seq() < trusted_until);
    announce();
    const std::optional<Observation> observation = environment.Next();
    if (!observation) {
      if (!environment.status().ok()) return environment.status();
      return false;
    }
    if (std::holds_alternative<Conditions>(*observation)) {
      BITPILOT_RETURN_IF_ERROR(SettleExtendedTwin(environment));
      knows_totals = true;
      announce();
    }
    policy.Observe(environment.view(), *observation);
    if (std::holds_alternative<TrialOutcome>(*observation)) {
      ++decisions_;
      if (first_failure_.empty()) first_failure_ = environment.failure();
      if (journal_.recording()) environment.DropNetworks(compared_);
      Report(environment);
    }
    if (!environment.view().stopped_at()) {
      BITPILOT_RETURN_IF_ERROR(Decide(environment, policy));
    }
    if (environment.view().in_flight().empty()) return true;
  }
}

Status SearchDriver::Decide(SearchEnvironment& environment, Policy& policy) {
  const bool trusts = environment.TrustsLog();
  std::vector<Action> actions;
  if (!trusts) actions = policy.Act(environment.view());
  // What is to be kept is settled while all of it is there.
  BITPILOT_RETURN_IF_ERROR(SettleKeeps(environment, policy));
  if (trusts) BITPILOT_RETURN_IF_ERROR(TakeActions(actions));
  for (const Action& action : actions) {
    if (const Status legal = environment.view().Check(action); !legal.ok()) {
      return Status(StatusCode::kInternal,
                    "policy " + policy.name() + " chose what it may not: " + legal.message());
    }
    if (!trusts) {
      BITPILOT_RETURN_IF_ERROR(DecideAction(journal_, environment.problem(), action, trials_));
    }
    if (std::holds_alternative<Trial>(action)) ++trials_;
    BITPILOT_RETURN_IF_ERROR(environment.Submit(action));
  }
  ++rounds_;
  return SettlePolicy(environment, policy);
}

Status SearchDriver::TakeActions(std::vector<Action>& actions) {
  while (IsActionKind(journal_.next_kind())) {
    Result<Action> action = TakeAction(journal_);
    if (!action.ok()) return action.status();
    actions.push_back(std::move(*action));
  }
  return Status();
}

Status SearchDriver::SettleKeeps(SearchEnvironment& environment, const Policy& policy) {
  std::vector<TicketId> keeps;
  if (environment.TrustsLog()) {
    if (journal_.next_kind() != KeepsEvent::kKind) return Status();
    const Result<KeepsEvent> logged = journal_.Take<KeepsEvent>();
    if (!logged.ok()) return logged.status();
    keeps = logged->places;
  } else {
    keeps = policy.Keeps();
    if (keeps == keeps_) return Status();
  }
  const bool may_keep = keeps.size() <= kMaxKeeps &&
                        std::all_of(keeps.begin(), keeps.end(),
                                    [&](TicketId id) { return environment.view().IsKept({id}); });
  if (!may_keep) {
    return Status(StatusCode::kInternal, "policy " + policy.name() +
                                             " keeps more places than it may, or one that is gone");
  }
  if (!environment.TrustsLog()) BITPILOT_RETURN_IF_ERROR(journal_.Decide(KeepsEvent{keeps}));
  keeps_ = keeps;
  environment.Keep(keeps);
  return Status();
}

Status SearchDriver::SettlePolicy(SearchEnvironment& environment, Policy& policy) {
  if (rounds_ % kRoundsBetweenStates != 0) return Status();
  if (!environment.TrustsLog()) return journal_.Decide(PolicyEvent{policy.Save()});
  const Result<PolicyEvent> logged = journal_.Take<PolicyEvent>();
  if (!logged.ok()) return logged.status();
  if (journal_.seq() < journal_.last_policy_seq()) return Status();
  return policy.Load(logged->state).WithContext("seq " + std::to_string(journal_.seq()));
}

Result<FinalEvent> SearchDriver::Finish(const ProblemSetup& setup, SearchEnvironment& environment) {
  const SearchProblem& problem = setup.problem;
  const std::vector<Choice>& named = environment.view().finalists();
  const std::vector<Finalist> finalists = ChooseFinalists(
      problem, environment.answered().proposals(), environment.answered().transitions(), program_,
      /*with_uniform4=*/setup.no_uniform4.empty(), ClassesOf(config_),
      *config_.final_batches > 0 ? named : std::vector<Choice>{});
  FinalTrainingJob job;
  job.batches = *config_.final_batches;
  job.uniform8 = setup.uniform8;
  job.options = training_.options();
  if (training_.trains()) {
    const View& view = environment.view();
    const PlaceFile stopped = environment.FileOf(view.stopped_at().value_or(view.latest()));
    job.search = FinalStart{stopped.file, stopped.depth};
    job.twin = FinalStart{{twin_.sha256, twin_.file}, twin_.anchor.readings.back().batches};
  }
  FinalTrainingParts training;
  ComparisonParts comparison;
  if (journal_.recording()) BITPILOT_RETURN_IF_ERROR(training_.Reset());
  if (parts_ != nullptr) {
    training = {&*parts_->model, &parts_->images.train, &parts_->images.validation,
                &parts_->calibration};
    for (const ClassId& on : ClassesOf(config_)) {
      comparison.boards[on] = &parts_->BoardsOf(config_).BoardOf(on);
    }
    comparison.test = &parts_->test;
  }
  if (IsRestrictedLocal(config_)) {
    comparison.board_has_full_isa = parts_ != nullptr && HasFullIsa(parts_->board->info());
    comparison.full_isa_board = [this] {
      BoardOptions board_options;
      board_options.stop = options_.stop;
      board_options.notice = [this](const std::string& text) { options_.observer->OnNotice(text); };
      if (const std::optional<int> cpu = parts_->board->info().cpu) {
        board_options.cpu = std::to_string(*cpu);
      }
      return StartLocalBoard("local", board_options);
    };
  }
  const Result<std::vector<TrainedFinalist>> trained =
      TrainFinalists(problem, finalists, environment.answered().transitions(), job, training,
                     journal_, files_, *options_.observer, options_.stop);
  if (!trained.ok()) return trained.status();
  const FinalOptions options{.energy = config_.energy != "none",
                             .long_audit = options_.long_audit,
                             .reading = ++test_readings_,
                             .registered = compared_,
                             .no_uniform4 = setup.no_uniform4,
                             .classes = ClassesOf(config_)};
  comparison.take_between = [this] {
    while (pools_->IsNext()) BITPILOT_RETURN_IF_ERROR(pools_->ReplayNext());
    return Status();
  };
  // A class that lost its boards since may have others to judge before it can go on.
  if (parts_ != nullptr) {
    parts_->BoardsOf(config_).WhileWaiting([this] { return pools_->StepAlone(); });
  }
  Result<FinalEvent> final =
      CompareFinalists(problem, *trained, environment.answered().transitions(), options, comparison,
                       journal_, files_, *options_.observer);
  if (parts_ != nullptr) parts_->BoardsOf(config_).WhileWaiting({});
  if (!final.ok()) return final;
  for (const TrainedFinalist& each : *trained) {
    if (each.has_network()) compared_.push_back(each.network);
  }
  BITPILOT_RETURN_IF_ERROR(journal_.Decide(EndEvent{"done"}));
  return final;
}

Status SearchDriver::SettleExtendedTwin(SearchEnvironment& environment) {
  const int total = environment.view().conditions()->totals.mini_batches;
  if (!training_.trains() || total <= twin_.anchor.readings.back().batches) return Status();
  if (journal_.replaying() && journal_.next_kind() != AnchorEvent::kKind) return Status();
  Result<AnchorEvent> twin = ExtendTwin(config_, *problem_, twin_, total, training_,
                                        TwinCache::OfUser(), journal_, files_, *options_.observer);
  if (!twin.ok()) return twin.status();
  twin_ = std::move(*twin);
  problem_->anchor = twin_.anchor;
  if (parts_ == nullptr) return Status();
  Result<TwinLosses> losses = LossesOf(twin_, files_);
  if (!losses.ok()) return losses.status();
  environment.TakeTwin(std::move(*losses));
  return Status();
}

Result<bool> SearchDriver::IsExtended(SearchEnvironment& environment) {
  const bool by_this_run =
      parts_ != nullptr && options_.more_measurements && !is_extended_ && journal_.recording();
  if (by_this_run) {
    is_extended_ = true;
    environment.Extend(*options_.more_measurements);
  }
  if (by_this_run || journal_.next_kind() == ConditionsEvent::kKind) return true;
  if (!journal_.replaying()) return false;
  return DataCorrupt("the search has ended at seq " + std::to_string(journal_.seq()) +
                     ", and the log goes on with an event of kind " +
                     std::string(journal_.next_kind()) + ": expected " +
                     std::string(ConditionsEvent::kKind) + " of an extension, or nothing");
}

// Who resumes has seen what the log answers.
void SearchDriver::Report(const SearchEnvironment& environment) const {
  if (journal_.last_was_logged()) return;
  const TransitionEvent& answer = environment.answered().transitions().back();
  if (!environment.failure().empty()) {
    options_.observer->OnNotice("step " + std::to_string(answer.step) + ": " +
                                environment.failure());
  }
  options_.observer->OnStep(environment.problem(), environment.answered().proposals().back(),
                            answer, environment.answered().reportable().hypervolume());
}

// A stop that the user asked for is an outcome, anything else an error.
Result<SearchOutcome> SearchDriver::Interruption(const Status& status) const {
  if (parts_ != nullptr && options_.stop()) return Outcome(/*interrupted=*/true);
  return status;
}

SearchOutcome SearchDriver::Outcome(bool interrupted) const {
  SearchOutcome outcome;
  outcome.interrupted = interrupted;
  outcome.config = config_;
  outcome.decisions = decisions_;
  outcome.first_failure = first_failure_;
  return outcome;
}

}  // namespace bitpilot
