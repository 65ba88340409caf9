#include "agent/session/search_driver.h"

#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/device/local_board.h"
#include "agent/results/front.h"
#include "agent/session/agent_build.h"
#include "agent/session/cpu_class.h"
#include "agent/session/final_comparison.h"
#include "agent/session/problem_setup.h"
#include "policies/multiple_choice.h"

namespace bitpilot {
namespace {

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
  if (!logged.board.core.empty()) {  // as in a study of an older bitpilot
    BITPILOT_RETURN_IF_ERROR(compare("core", logged.board.core, board.core));
  }
  if (searches_energy) {
    BITPILOT_RETURN_IF_ERROR(
        compare("energy source", logged.board.energy.source, board.energy.source));
  }
  return Status();
}

}  // namespace

Result<SearchOutcome> SearchDriver::Run() {
  const Result<ModelDefinition> definition = FindModel(config_.model);
  if (!definition.ok()) return definition.status();
  // A new log says first who writes it. A resume that is refused leaves the study as it was.
  const bool resumed = journal_.replaying();
  const auto note_agent = [this] {
    return parts_ == nullptr ? Status() : journal_.NoteAgent(AgentBuild(), IntegerProgramSolver());
  };
  if (!resumed) BITPILOT_RETURN_IF_ERROR(note_agent());
  BITPILOT_RETURN_IF_ERROR(SettleBoard());
  if (resumed) BITPILOT_RETURN_IF_ERROR(note_agent());
  const SearchResources resources = parts_ != nullptr ? parts_->resources() : SearchResources{};
  const Result<ProblemSetup> setup =
      SetUpProblem(definition->topology, config_, resources, journal_, files_, *options_.observer,
                   options_.stop);
  if (!setup.ok()) return Interruption(setup.status());
  const SearchProblem& problem = setup->problem;
  Result<std::unique_ptr<Policy>> policy = PreparePolicy(problem);
  if (!policy.ok()) return policy.status();
  SearchEnvironment environment(config_, problem, setup->uniform8, journal_, files_, resources,
                                options_.stop);
  if (const Status begun = environment.Begin(); !begun.ok()) return Interruption(begun);
  const Result<bool> finished = Search(environment, **policy);
  if (!finished.ok()) return Interruption(finished.status());
  if (!*finished) return Outcome(/*interrupted=*/true);

  const std::vector<Finalist> finalists =
      ChooseFinalists(problem, proposals_, environment.transitions());
  std::function<Result<std::unique_ptr<Board>>()> full_isa_board;
  if (IsRestrictedLocal(config_)) {
    full_isa_board = [this] {
      BoardOptions board_options;
      board_options.stop = options_.stop;
      board_options.notice = [this](const std::string& text) { options_.observer->OnNotice(text); };
      if (const std::optional<int> cpu = parts_->board->info().cpu) {
        board_options.cpu = std::to_string(*cpu);
      }
      return StartLocalBoard("local", board_options);
    };
  }
  Result<FinalEvent> final =
      CompareFinalists(problem, setup->uniform8, finalists,
                       {.energy = config_.energy != "none", .long_audit = options_.long_audit},
                       environment, resources, parts_ != nullptr ? &parts_->test : nullptr,
                       full_isa_board, journal_, files_, *options_.observer);
  if (!final.ok()) return Interruption(final.status());
  if (const Status end = journal_.Decide(EndEvent{"done"}); !end.ok()) return Interruption(end);
  SearchOutcome outcome = Outcome(/*interrupted=*/false);
  outcome.final = std::move(*final);
  return outcome;
}

// The integer program's answers are observed: they depend on the solver's version.
Result<std::unique_ptr<Policy>> SearchDriver::PreparePolicy(const SearchProblem& problem) {
  if (journal_.version() < 2 || !StartsWithIntegerProgram(config_.policy)) {
    return MakePolicy(config_.policy, problem, config_.seed);
  }
  const Result<CostModel> cost = CostModel::Create(problem);
  if (!cost.ok()) return cost.status();
  const int num_answers = NumIlpAnswers(problem);
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
  return MakePolicy(config_.policy, problem, config_.seed, answers->program);
}

Status SearchDriver::SettleBoard() {
  const Result<BoardEvent> board = journal_.Observe<BoardEvent>([this] {
    return Result<BoardEvent>(BoardEvent{parts_->board->info(), CpuClass()});
  });
  if (!board.ok()) return board.status();
  if (parts_ == nullptr) return Status();
  // Everything is checked before anything is noted.
  BITPILOT_RETURN_IF_ERROR(CheckSameBoard(*board, parts_->board->info(), SearchesEnergy(config_)));
  const bool new_class = config_.train_batches > 0 && board->cpu_class != CpuClass();
  if (new_class) BITPILOT_RETURN_IF_ERROR(CheckClassChange(board->cpu_class));
  const std::string change = DescribeFingerprintChange(board->board, parts_->board->info());
  if (!change.empty()) {
    options_.observer->OnNotice("the board is not as it was when the study began: " + change +
                                "; ratios to 8 bit can be compared, latencies cannot");
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

// Proposes and steps until the budget is used or the policy has nothing left; false if
// interrupted.
Result<bool> SearchDriver::Search(SearchEnvironment& environment, Policy& policy) {
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
      event.origin = proposal.origin;
      BITPILOT_RETURN_IF_ERROR(journal_.Decide(event));
      const std::optional<Transition> transition = environment.Step(proposal);
      if (!transition) {
        if (!environment.status().ok()) return environment.status();
        return false;
      }
      if (transition->status == TransitionStatus::kRejected) ++over_size_;
      if (first_failure_.empty()) first_failure_ = environment.failure();
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
void SearchDriver::Report(const SearchEnvironment& environment) const {
  if (journal_.last_was_logged()) return;
  if (!environment.failure().empty()) {
    options_.observer->OnNotice("step " + std::to_string(decisions()) + ": " +
                                environment.failure());
  }
  const TransitionEvent& answer = environment.transitions().back();
  const double ratio =
      answer.transition.latency_ns.value_or(0.0) / environment.problem().uniform8.latency_ns;
  options_.observer->OnStep(proposals_.back(), answer, ratio,
                            MeasuredHypervolume(environment.problem(), environment.transitions()));
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
  outcome.decisions = decisions();
  outcome.over_size = over_size_;
  outcome.first_failure = first_failure_;
  return outcome;
}

}  // namespace bitpilot
