// The search bar in miniature: budgets of 24 measurements on synthetic networks, all seeds literal.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "policies/acquisition.h"
#include "policies/cost_model.h"
#include "policies/ilp.h"
#include "policies/moves.h"
#include "policies/pareto.h"
#include "policies/policy.h"
#include "policies/random_stream.h"
#include "tests/policies/one_by_one.h"
#include "tests/policies/search_log.h"
#include "tests/policies/synthetic_environment.h"

namespace bitpilot {
namespace {

// The objectives of everything that one policy measures.
std::vector<Objectives> Search(const std::string& policy, const SyntheticOptions& options,
                               std::uint64_t seed) {
  SyntheticEnvironment environment(options);
  const SearchProblem& problem = environment.problem();
  const std::unique_ptr<Policy> searcher = MakePolicy(policy, problem, seed).value();
  const SearchLog log = RunSearch(*searcher, environment);
  const std::vector<Trial> trials = TrialsOf(log);
  std::vector<Objectives> points;
  for (const SearchEvent& event : log) {
    const auto* outcome = std::get_if<TrialOutcome>(&event.observation);
    if (outcome == nullptr) continue;
    const Trial& trial = trials[static_cast<std::size_t>(outcome->id - 1)];
    const Transition transition = ToTransition(problem, trial, *outcome);
    if (HasObjectives(problem, transition)) {
      points.push_back(MeasuredObjectives(problem, transition));
    }
  }
  return points;
}

double SearchHypervolume(const std::string& policy, const SyntheticOptions& options,
                         std::uint64_t seed) {
  return Hypervolume(Search(policy, options, seed));
}

// Positions of the points whose neighbours are worth a try: the front or, with budgets that some point
// keeps, the one of best accuracy within them.
std::vector<std::size_t> WorthANeighbour(const Budgets& budgets,
                                         const std::vector<Objectives>& points) {
  if (budgets.max_latency_ratio || budgets.max_energy_ratio) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (!KeepsBudgets(budgets, points[i])) continue;
      if (!best || points[i].error_rate < points[*best].error_rate) best = i;
    }
    if (best) return {*best};
  }
  return ParetoFront(points);
}

// The objectives of what the policy starts with, the integer program's answers, and of
// neighbours of the front so far for the rest of the same budget: what learning has to beat.
std::vector<Objectives> SearchWithoutLearning(const SyntheticOptions& options, std::uint64_t seed) {
  SyntheticEnvironment environment(options);
  const SearchProblem& problem = environment.problem();
  RandomStream random(seed, "without-learning");
  const std::vector<Candidate> start =
      IlpAnswers(problem, CostModel::Create(problem).value(), kNumIlpAnswers).value();
  OneByOne boards(environment);
  std::set<Choice> seen;
  std::vector<Choice> choices;
  std::vector<Objectives> points;
  while (static_cast<int>(points.size()) < options.max_measurements) {
    Choice choice;
    if (points.size() < start.size()) {
      choice = start[points.size()].choice;
    } else {
      const std::vector<std::size_t> front = WorthANeighbour(problem.budgets, points);
      const std::size_t member =
          front[static_cast<std::size_t>(random.NextIndex(static_cast<int>(front.size())))];
      choice = NeighbourMove(problem, choices[member], random);
    }
    if (!seen.insert(choice).second) continue;
    const Transition transition = boards.Try(choice);
    EXPECT_TRUE(HasObjectives(problem, transition));
    choices.push_back(std::move(choice));
    points.push_back(MeasuredObjectives(problem, transition));
  }
  return points;
}

TEST(SearchQualityTest, AmedBlindBeatsRandomAndItsStartWithoutLearningInThreeObjectives) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const SyntheticOptions options{.seed = seed, .energy = EnergyObjective::kMeasured};
    const double amed = EnergyHypervolume(Search("amed-blind", options, seed));
    EXPECT_GT(amed, EnergyHypervolume(Search("random", options, seed)));
    EXPECT_GT(amed, EnergyHypervolume(SearchWithoutLearning(options, seed)));
  }
}

// Lowest error rate of the points that keep the budgets, 1 if none does.
double LowestErrorWithin(const Budgets& budgets, const std::vector<Objectives>& points) {
  double lowest = 1.0;
  for (const Objectives& point : points) {
    if (KeepsBudgets(budgets, point)) lowest = std::min(lowest, point.error_rate);
  }
  return lowest;
}

// With budgets, what counts is the best accuracy among the measured choices that keep them. In sums
// over seeds: the start may already hold the best choice of one.
void ExpectLearningToLowerTheErrorWithinBudgets(SyntheticOptions options) {
  constexpr std::uint64_t kSeeds = 3;
  double learned = 0.0;
  double not_learned = 0.0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(seed);
    options.seed = seed;
    const std::vector<Objectives> points = Search("amed-blind", options, seed);
    ASSERT_EQ(points.size(), 24U);
    const std::vector<Objectives> start(points.begin(), points.begin() + 8);
    ASSERT_LT(LowestErrorWithin(options.budgets, start), 1.0) << "nothing of the start keeps them";
    learned += LowestErrorWithin(options.budgets, points);
    not_learned += LowestErrorWithin(options.budgets, SearchWithoutLearning(options, seed));
  }
  EXPECT_LT(learned, not_learned);
}

TEST(SearchQualityTest, AmedBlindLearnsWhatKeepsTheEnergyBudget) {
  ExpectLearningToLowerTheErrorWithinBudgets(
      {.budgets = {.max_energy_ratio = 0.5}, .energy = EnergyObjective::kMeasured});
}

TEST(SearchQualityTest, AmedBlindBeatsRandomUniformAndItsStartWithoutLearning) {
  int above_random = 0;
  int above_without_learning = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    const SyntheticOptions options{.seed = seed};
    const double amed = SearchHypervolume("amed-blind", options, seed);
    above_random += amed > SearchHypervolume("random", options, seed) ? 1 : 0;
    above_without_learning += amed > Hypervolume(SearchWithoutLearning(options, seed)) ? 1 : 0;
    EXPECT_GT(amed, SearchHypervolume("uniform", options, seed));
  }
  EXPECT_GE(above_random, 9);
  EXPECT_GE(above_without_learning, 9);
}

// Probes and tables that are wrong by factors: what is measured must correct them.
TEST(SearchQualityTest, AmedBlindBeatsItsStartWithoutLearningWhenProbesAreBad) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const SyntheticOptions options{.seed = seed, .probe_log_sigma = 1.2, .table_log_sigma = 0.2};
    EXPECT_GT(SearchHypervolume("amed-blind", options, seed),
              Hypervolume(SearchWithoutLearning(options, seed)));
  }
}

TEST(SearchQualityTest, AmedBlindFindsMoreAccuracyWithinTheLatencyBudget) {
  ExpectLearningToLowerTheErrorWithinBudgets({.budgets = {.max_latency_ratio = 0.7}});
}

}  // namespace
}  // namespace bitpilot
