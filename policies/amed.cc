#include "policies/amed.h"

#include <algorithm>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "kernels/base/check.h"
#include "policies/amed_blind.h"
#include "policies/history_policy.h"
#include "policies/pace.h"
#include "policies/random_stream.h"
#include "policies/surrogate.h"

namespace bitpilot {
namespace {

using nlohmann::json;

constexpr int kAmedStateVersion = 3;

// What a decision looks back on, so that it takes as long late as early.
constexpr std::size_t kMaxHistory = 256;
constexpr std::size_t kMaxTried = 64;

// Pools of targets that must agree that nothing beats stopping.
constexpr int kAttempts = 2;

void ForgetBefore(std::size_t count, auto* list) {
  if (list->size() > count) list->erase(list->begin(), list->end() - static_cast<long>(count));
}

std::string Describe(const PlannedStep& step, const char* what) {
  const DecisionFigures& figures = step.figures;
  const TicketId from = step.from.after;
  const std::string place = from == 0 ? "the start" : "#" + std::to_string(from);
  char text[240];
  std::snprintf(text, sizeof text,
                "%s from %s, %d mini-batches%s: expects a loss of %.4f +- %.4f; worth %.5f, "
                "staying %.5f, stopping %.5f",
                what, place.c_str(), step.batches, step.measure ? ", then measured" : "",
                figures.predicted_loss, figures.predicted_error, figures.value,
                figures.value_of_staying, figures.value_of_stopping);
  return text;
}

}  // namespace

AmedPolicy::AmedPolicy(const SearchProblem& problem, CostModel cost, std::uint64_t seed,
                       std::vector<Candidate> answers, AmedOptions options)
    : problem_(problem),
      cost_(std::move(cost)),
      seed_(seed),
      answers_(std::move(answers)),
      options_(std::move(options)),
      ladder_(problem_, cost_),
      learner_(problem) {
  if (problem.batches_per_step == 0) {
    blind_ = std::make_unique<AmedBlindPolicy>(problem, cost_, seed, answers_, name());
  }
}

std::string AmedPolicy::name() const {
  return options_.train_while_searching ? "amed" : "two-stage";
}

void AmedPolicy::Observe(const View& view, const Observation& observation) {
  if (blind_) blind_->Observe(view, observation);
  if (std::holds_alternative<Conditions>(observation)) {
    num_before_conditions_ = view.answered().size();
  }
}

std::vector<TicketId> AmedPolicy::Keeps() const {
  if (blind_) return blind_->Keeps();
  if (incumbent_.after == 0) return {};
  return {incumbent_.after};
}

// --- learning ---

void AmedPolicy::Learn(const View& view) {
  const std::vector<AnsweredTrial>& answered = view.answered();
  for (std::size_t i = num_learned_; i < answered.size(); ++i) {
    learner_.places().Submitted(answered[i].trial);
  }
  for (const Action& action : view.in_flight()) {
    if (const auto* trial = std::get_if<Trial>(&action)) learner_.places().Submitted(*trial);
  }
  for (; num_learned_ < answered.size(); ++num_learned_) {
    LearnConditions();
    LearnOutcome(answered[num_learned_].trial, answered[num_learned_].outcome);
  }
  LearnConditions();
  learner_.places().Forget(view);
}

void AmedPolicy::LearnConditions() {
  if (num_learned_ != num_before_conditions_) return;
  unavailable_in_a_row_ = 0;
  lacking_.clear();
}

void AmedPolicy::LearnOutcome(const Trial& trial, const TrialOutcome& outcome) {
  const Choice& choice = trial.what.choice;
  learner_.Answered(trial, outcome);
  last_episode_ = std::max(last_episode_, trial.episode);
  if (std::find(tried_.begin(), tried_.end(), choice) == tried_.end()) tried_.push_back(choice);
  ForgetBefore(kMaxTried, &tried_);
  Transition transition = ToTransition(problem_, trial, outcome);
  switch (transition.status) {
    case TransitionStatus::kUnavailable:
      if (!IsWithoutAnyBoard(outcome)) {
        lacking_.insert(choice);
        return;
      }
      ++unavailable_in_a_row_;
      if (++without_board_[choice] >= kMaxTriesWithoutBoard) excluded_.insert(choice);
      return;
    case TransitionStatus::kFailed:
      excluded_.insert(choice);
      break;
    case TransitionStatus::kMeasured:
    case TransitionStatus::kUnmeasured:
      history_.push_back(std::move(transition));
      ForgetBefore(kMaxHistory, &history_);
      break;
    case TransitionStatus::kDiverged:
    case TransitionStatus::kRejected:  // of older studies
      break;
  }
  unavailable_in_a_row_ = 0;
  if (!outcome.classes.empty()) lacking_.clear();
  ++num_readings_;
}

// --- acting ---

int AmedPolicy::ReadingsLeft(const View& view) const {
  const int classes = std::max(1, static_cast<int>(view.Classes().size()));
  const int in_flight = static_cast<int>(view.in_flight().size());
  return std::max(0, view.conditions()->totals.measurements / classes -
                         (num_readings_ - num_last_readings_) - in_flight);
}

bool AmedPolicy::HasRoom(const View& view, int decided) {
  int slots = view.conditions()->slots.empty() ? 1 : std::numeric_limits<int>::max();
  for (const ClassId& on : view.Classes()) {
    slots = std::min(slots, view.conditions()->slots.at(on));
  }
  const bool has_board = view.conditions()->slots.empty() || !view.Classes().empty();
  return has_board && static_cast<int>(view.in_flight().size()) + decided < slots;
}

std::vector<Action> AmedPolicy::Act(const View& view) {
  if (blind_) return blind_->Act(view);
  if (!view.conditions() || view.stopped_at()) return {};
  Learn(view);
  std::vector<Action> actions;
  std::optional<View> later;  // `view` with what is decided
  const View* now = &view;
  while (HasRoom(*now, 0) && unavailable_in_a_row_ < kMaxUnavailableInARow) {
    PlannedDecision decision;
    for (int attempt = 0; attempt < kAttempts && !decision.step; ++attempt) {
      decision = DecideAt(*now, attempt);
    }
    // The place that a step decided just now leaves cannot be kept yet.
    if (view.IsKept(decision.best_place)) incumbent_ = decision.best_place;
    if (!decision.step) {
      // What is in flight may change that.
      return now->in_flight().empty() ? End(view, decision) : actions;
    }
    actions.emplace_back(TrialOf(*now, *decision.step));
    if (!HasRoom(*now, 1)) return actions;
    if (!later) later.emplace(view);
    later->Submitted(actions.back());
    learner_.places().Submitted(std::get<Trial>(actions.back()));
    now = &*later;
  }
  const bool has_board = view.conditions()->slots.empty() || !view.Classes().empty();
  if (actions.empty() && view.in_flight().empty() && has_board) {
    actions.emplace_back(Stop{view.IsKept(incumbent_) ? incumbent_ : view.latest()});
  }
  return actions;
}

PlannedDecision AmedPolicy::DecideAt(const View& view, int attempt) const {
  RandomStream random(seed_, name(),
                      static_cast<std::uint64_t>(kAttempts * view.next_ticket() + attempt));
  std::optional<LossBelief> expected;
  std::set<std::pair<TicketId, Choice>> anticipated;
  for (const Action& action : view.in_flight()) {
    const auto& trial = std::get<Trial>(action);
    // One that asks boards only, for what was read already, teaches nothing of losses.
    const Place weights = learner_.places().Origin({trial.id});
    if (learner_.places().HasRead(weights, trial.what.choice) ||
        !anticipated.emplace(weights.after, trial.what.choice).second) {
      continue;
    }
    if (!expected) expected.emplace(learner_.belief());
    const TrainedState state = learner_.places().At({trial.id});
    const double error =
        learner_.reading_errors().Expected(expected->Predict(state, trial.what.choice).mean);
    expected->Anticipate(state, trial.what.choice, error);
  }
  std::vector<Choice> known = tried_;
  for (const Candidate& answer : answers_) known.push_back(answer.choice);
  // Where nothing else is left, what lacks a class is tried again.
  std::set<Choice> excluded = excluded_;
  if (attempt + 1 < kAttempts) excluded.insert(lacking_.begin(), lacking_.end());
  const Surrogate surrogate(problem_, cost_, history_);
  const DecisionInput input{.problem = problem_,
                            .cost = cost_,
                            .ladder = ladder_,
                            .options = options_,
                            .view = view,
                            .belief = expected ? *expected : learner_.belief(),
                            .places = learner_.places(),
                            .surrogate = surrogate,
                            .known = known,
                            .excluded = excluded,
                            .incumbent = incumbent_,
                            .reading_errors = learner_.reading_errors(),
                            .readings_left = ReadingsLeft(view)};
  return PlanDecision(input, random);
}

Trial AmedPolicy::TrialOf(const View& view, const PlannedStep& step) const {
  const bool is_answer =
      std::any_of(answers_.begin(), answers_.end(),
                  [&](const Candidate& answer) { return answer.choice == step.what; });
  const std::vector<ClassId> classes = view.Classes();
  const bool is_measured =
      !classes.empty() && std::all_of(classes.begin(), classes.end(), [&](const ClassId& on) {
        return view.FindMeasured(step.what, on) != nullptr;
      });
  int episode = last_episode_;
  for (const Action& action : view.in_flight()) {
    episode = std::max(episode, std::get<Trial>(action).episode);
  }
  const bool restarts = step.batches > 0 && learner_.places().Origin(step.from) !=
                                                learner_.places().Origin(view.latest());
  return {.id = view.next_ticket(),
          .what = {.choice = step.what,
                   .origin = is_answer ? Origin::kIntegerProgram : Origin::kPlanned,
                   .reason = Describe(step, is_answer ? "integer program's answer" : "planned"),
                   .figures = step.figures},
          .from = step.from,
          .train = PaceOf(view, step.batches),
          // What was measured costs nothing again.
          .classes = step.measure || is_measured ? classes : std::vector<ClassId>{},
          .episode = restarts ? episode + 1 : episode};
}

std::vector<Action> AmedPolicy::End(const View& view, const PlannedDecision& decision) {
  const PlannedStep* step = nullptr;
  if (!decision.to_measure.empty()) {
    step = &decision.to_measure.front();
  } else if (decision.rest) {
    step = &*decision.rest;
  } else if (!decision.to_read.empty()) {
    step = &decision.to_read.front();
  }
  if (step == nullptr) return {Stop{decision.best_place, decision.finalists}};
  ++num_last_readings_;
  return {TrialOf(view, *step)};
}

// --- saving ---

std::string AmedPolicy::Save() const {
  if (blind_) return blind_->Save();
  return json{{"version", kAmedStateVersion},
              {"policy", name()},
              {"seed", seed_},
              {"variables", VariableNames(problem_)},
              {"incumbent", incumbent_.after},
              {"last_readings", num_last_readings_}}
      .dump();
}

Status AmedPolicy::Load(std::string_view state) {
  if (blind_) return blind_->Load(state);
  const json object = json::parse(state, nullptr, /*allow_exceptions=*/false);
  const auto is = [&](const char* field, const json& expected) {
    return object.contains(field) && object.at(field) == expected;
  };
  const bool ours = object.is_object() && is("version", kAmedStateVersion) &&
                    is("policy", name()) && is("variables", json(VariableNames(problem_))) &&
                    object.contains("seed") && object.at("seed").is_number_unsigned() &&
                    object.contains("incumbent") && object.at("incumbent").is_number_integer() &&
                    object.contains("last_readings") &&
                    object.at("last_readings").is_number_integer();
  if (!ours) {
    return DataCorrupt("state of policy " + name() + ": expected version " +
                       std::to_string(kAmedStateVersion) + " of this policy for this problem's " +
                       std::to_string(problem_.variables.size()) + " variables");
  }
  seed_ = object.at("seed").get<std::uint64_t>();
  incumbent_ = {object.at("incumbent").get<TicketId>()};
  num_last_readings_ = object.at("last_readings").get<int>();
  return Status();
}

}  // namespace bitpilot
