#include "policies/amed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "policies/amed_blind.h"
#include "policies/ilp.h"
#include "policies/reward.h"
#include "tests/policies/training_toy.h"

namespace bitpilot {
namespace {

std::vector<Candidate> AnswersOf(const SearchProblem& problem) {
  return IlpAnswers(problem, CostModel::Create(problem).value(), kNumIlpAnswers).value();
}

std::unique_ptr<Policy> MakeAmed(const SearchProblem& problem, AmedOptions options = {}) {
  return std::make_unique<AmedPolicy>(problem, CostModel::Create(problem).value(), 1,
                                      AnswersOf(problem), std::move(options));
}

std::unique_ptr<Policy> MakeBlind(const SearchProblem& problem) {
  return std::make_unique<AmedBlindPolicy>(problem, CostModel::Create(problem).value(), 1,
                                           AnswersOf(problem));
}

// Smaller than the product's, for tests that are about something else.
AmedOptions Quick() { return {.targets = 8, .worlds = 3, .steps_considered = 3}; }

// Plays until the search ends. `restored`: saves the policy before every decision and goes on with
// another one that observed the same.
std::vector<Action> Play(TrainingToy& toy, std::unique_ptr<Policy> policy,
                         const std::function<std::unique_ptr<Policy>()>& restored = nullptr) {
  std::vector<Action> all;
  std::vector<Observation> seen;
  while (!toy.view().stopped_at() || !toy.view().in_flight().empty()) {
    const std::optional<Observation> observation = toy.Next();
    policy->Observe(toy.view(), *observation);
    if (restored) {
      // What Observe() leaves behind here is nothing but what View holds.
      std::unique_ptr<Policy> other = restored();
      EXPECT_TRUE(other->Load(policy->Save()).ok());
      policy = std::move(other);
    }
    const std::vector<Action> actions = policy->Act(toy.view());
    for (const Action& action : actions) {
      const Status status = toy.Submit(action);
      EXPECT_TRUE(status.ok()) << status.message();
      if (!status.ok()) return all;
      all.push_back(action);
    }
    toy.Keep(policy->Keeps());
    if (actions.empty() && toy.view().in_flight().empty()) {
      ADD_FAILURE() << "it neither acts nor stops";
      return all;
    }
  }
  return all;
}

std::string Describe(const std::vector<Action>& actions) {
  std::string text;
  for (const Action& action : actions) {
    if (const auto* trial = std::get_if<Trial>(&action)) {
      text += trial->what.reason;
      for (const int width : trial->what.choice) text += ' ' + std::to_string(width);
      text += trial->classes.empty() ? "; " : " on a board; ";
    } else {
      text += "stop at " + std::to_string(std::get<Stop>(action).at.after);
    }
  }
  return text;
}

// Excess loss that the search is good for: the best of the three measured candidates within the budget
// that were read lowest, each trained at the end, from where the search stopped.
double EndingLoss(const TrainingToy& toy, double batches) {
  const SearchProblem& problem = toy.problem();
  std::map<Choice, double> lowest;
  for (const AnsweredTrial& answered : toy.view().answered()) {
    const Measured* measured = toy.view().FindMeasured(answered.trial.what.choice, "board");
    if (measured == nullptr || measured->ratio > *problem.budgets.max_latency_ratio ||
        !answered.outcome.score) {
      continue;
    }
    const double excess =
        ExcessOf(problem.anchor, *answered.outcome.score, answered.outcome.at.depth).mean;
    const auto [entry, is_new] = lowest.emplace(answered.trial.what.choice, excess);
    if (!is_new) entry->second = std::min(entry->second, excess);
  }
  std::vector<std::pair<double, Choice>> order;
  for (const auto& [choice, excess] : lowest) order.emplace_back(excess, choice);
  std::sort(order.begin(), order.end());
  double best = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < std::min<std::size_t>(3, order.size()); ++i) {
    best = std::min(best, toy.LossAfter(*toy.view().stopped_at(), order[i].second, batches));
  }
  return best;
}

TEST(AmedTest, SpendsWhatItMayAndStops) {
  TrainingToy toy({});
  const std::vector<Action> actions = Play(toy, MakeAmed(toy.problem()));
  ASSERT_FALSE(actions.empty());
  EXPECT_TRUE(std::holds_alternative<Stop>(actions.back()));
  int measured = 0;
  for (const Action& action : actions) {
    if (const auto* trial = std::get_if<Trial>(&action)) {
      measured += trial->classes.empty() ? 0 : 1;
      EXPECT_TRUE(trial->what.figures.has_value());
    }
  }
  EXPECT_GE(measured, 3);
}

TEST(AmedTest, GoesOnAfterLoadAsIfNothingHadHappened) {
  for (const int slots : {1, 3}) {
    SCOPED_TRACE(slots);
    const TrainingToyOptions options{.measurements = 10,
                                     .slots = slots,
                                     .divergence_rate = 0.2,
                                     .failure_rate = 0.1,
                                     .unavailable_rate = 0.1};
    TrainingToy once(options);
    const std::string without = Describe(Play(once, MakeAmed(once.problem(), Quick())));
    TrainingToy again(options);
    const std::string with = Describe(Play(again, MakeAmed(again.problem(), Quick()), [&again] {
      return MakeAmed(again.problem(), Quick());
    }));
    EXPECT_EQ(without, with);
  }
}

TEST(AmedTest, RefusesTheStateOfAnotherPolicyOrProblem) {
  TrainingToy toy({});
  TrainingToy other({.batches_per_step = 0});
  EXPECT_FALSE(MakeAmed(toy.problem())->Load("{}").ok());
  EXPECT_FALSE(MakeAmed(toy.problem())->Load("no JSON").ok());
  EXPECT_FALSE(MakeAmed(toy.problem())->Load(MakeBlind(toy.problem())->Save()).ok());
  AmedOptions two_stage;
  two_stage.train_while_searching = false;
  EXPECT_FALSE(MakeAmed(toy.problem(), two_stage)->Load(MakeAmed(toy.problem())->Save()).ok());
}

TEST(AmedTest, HasSeveralTrialsInFlightAndTakesAnswersInAnyOrder) {
  TrainingToy toy({.measurements = 12, .slots = 4});
  std::unique_ptr<Policy> policy = MakeAmed(toy.problem(), Quick());
  policy->Observe(toy.view(), *toy.Next());
  EXPECT_GE(policy->Act(toy.view()).size(), 2U);  // as many as are worth it
  TrainingToy whole({.measurements = 12, .slots = 4});
  EXPECT_TRUE(std::holds_alternative<Stop>(Play(whole, MakeAmed(whole.problem(), Quick())).back()));
}

TEST(AmedTest, EndsWhereNoBoardAnswers) {
  TrainingToy toy({.unavailable_rate = 1.0});
  EXPECT_TRUE(std::holds_alternative<Stop>(Play(toy, MakeAmed(toy.problem(), Quick())).back()));
}

TEST(AmedTest, NeverTriesAgainWhatABoardCannotRun) {
  TrainingToy toy({.failure_rate = 0.5});
  std::set<Choice> failed;
  Play(toy, MakeAmed(toy.problem(), Quick()));
  for (const AnsweredTrial& answered : toy.view().answered()) {
    const Choice& choice = answered.trial.what.choice;
    EXPECT_FALSE(failed.contains(choice) && !answered.trial.classes.empty());
    for (const ClassOutcome& one : answered.outcome.classes) {
      if (std::holds_alternative<CandidateFailed>(one.result)) failed.insert(choice);
    }
  }
  EXPECT_FALSE(failed.empty());
}

TEST(AmedTest, TwoStageReadsUntrainedWeightsOnlyAndStopsThere) {
  TrainingToy toy({});
  AmedOptions options = Quick();
  options.train_while_searching = false;
  const std::vector<Action> actions = Play(toy, MakeAmed(toy.problem(), options));
  for (const Action& action : actions) {
    if (const auto* trial = std::get_if<Trial>(&action)) {
      EXPECT_EQ(trial->train.batches, 0);
      EXPECT_EQ(trial->from, Place{});
    } else {
      EXPECT_EQ(std::get<Stop>(action).at, Place{});
    }
  }
  EXPECT_GE(actions.size(), 4U);
}

TEST(AmedTest, SearchesForAFrontWithoutABudget) {
  TrainingToy toy({.measurements = 12, .budgets = {}});
  Play(toy, MakeAmed(toy.problem(), Quick()));
  double fastest = 1.0;
  double slowest = 0.0;
  for (const AnsweredTrial& answered : toy.view().answered()) {
    const Measured* measured = toy.view().FindMeasured(answered.trial.what.choice, "board");
    if (measured == nullptr) continue;
    fastest = std::min(fastest, measured->ratio);
    slowest = std::max(slowest, measured->ratio);
  }
  EXPECT_GT(slowest, 1.2 * fastest);
}

TEST(AmedTest, KeepsTheBudgetOfWeightBytes) {
  TrainingToyOptions options{.measurements = 8};
  const TrainingToy unlimited(options);
  const SearchProblem& problem = unlimited.problem();
  options.budgets.max_weight_bytes =
      WeightBytes(problem.topology, ToAssignment(problem, UniformChoice(problem, 4)));
  TrainingToy toy(options);  // Submit() refuses what is larger.
  EXPECT_TRUE(std::holds_alternative<Stop>(Play(toy, MakeAmed(toy.problem(), Quick())).back()));
}

// The rivals get the same readings, measurements and mini-batches; two-stage's go to the end.
TEST(AmedTest, EndsLowerThanTheStateBlindSearch) {
  double amed = 0.0;
  double blind = 0.0;
  int covered = 0;
  int predicted = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const TrainingToyOptions options{.seed = seed};
    TrainingToy planned(options);
    const std::vector<Action> actions = Play(planned, MakeAmed(planned.problem()));
    amed += EndingLoss(planned, options.final_batches);
    for (const AnsweredTrial& answered : planned.view().answered()) {
      const auto& figures = *answered.trial.what.figures;
      const double distance = answered.outcome.score->loss - figures.predicted_loss;
      ++predicted;
      covered += std::abs(distance) <= 1.645 * figures.predicted_error ? 1 : 0;
    }
    TrainingToy rival(options);
    Play(rival, MakeBlind(rival.problem()));
    blind += EndingLoss(rival, options.final_batches);
  }
  EXPECT_LT(amed, blind);
  EXPECT_GE(covered, 0.8 * predicted);
}

}  // namespace
}  // namespace bitpilot
