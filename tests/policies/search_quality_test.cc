// The search bar in miniature: budgets of 24 measurements on synthetic networks, all seeds literal.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policies/acquisition.h"
#include "policies/cost_model.h"
#include "policies/ilp.h"
#include "policies/moves.h"
#include "policies/pareto.h"
#include "policies/policy.h"
#include "policies/random_stream.h"
#include "tests/policies/policy_conformance.h"
#include "tests/policies/synthetic_environment.h"

namespace bitpilot {
namespace {

// The objectives of everything that one policy measures.
std::vector<Objectives> Search(const std::string& policy, const SyntheticOptions& options,
                               std::uint64_t seed) {
  SyntheticEnvironment environment(options);
  SearchTrace trace;
  SearchAndCheck(policy, environment, seed, /*restore_each_step=*/false, trace);
  std::vector<Objectives> points;
  for (const Transition& transition : trace.transitions) {
    if (HasObjectives(environment.problem(), transition)) {
      points.push_back(MeasuredObjectives(environment.problem(), transition));
    }
  }
  return points;
}

double SearchHypervolume(const std::string& policy, const SyntheticOptions& options,
                         std::uint64_t seed) {
  return Hypervolume(Search(policy, options, seed));
}

// The objectives of what the default policy starts with, the integer program's answers, and of
// neighbours of the front so far for the rest of the same budget: what learning has to beat.
std::vector<Objectives> SearchWithoutLearning(const SyntheticOptions& options, std::uint64_t seed) {
  SyntheticEnvironment environment(options);
  const SearchProblem& problem = environment.problem();
  RandomStream random(seed, "without-learning");
  std::vector<Proposal> proposals =
      IlpAnswers(problem, CostModel::Create(problem).value(), NumIlpAnswers(problem)).value();
  std::set<Choice> seen;
  std::vector<Choice> choices;
  std::vector<Objectives> points;
  while (environment.measurements_left() > 0) {
    if (seen.size() >= proposals.size()) {
      const std::vector<std::size_t> front = ParetoFront(points);
      const std::size_t member =
          front[static_cast<std::size_t>(random.NextIndex(static_cast<int>(front.size())))];
      proposals.push_back(
          {.choice = NeighbourMove(problem, choices[member], random), .reason = ""});
      if (seen.contains(proposals.back().choice)) {
        proposals.pop_back();
        continue;
      }
    }
    const Proposal& proposal = proposals[seen.size()];
    seen.insert(proposal.choice);
    const std::optional<Transition> transition = environment.Step(proposal);
    EXPECT_TRUE(transition.has_value() && HasObjectives(problem, *transition));
    choices.push_back(proposal.choice);
    points.push_back(MeasuredObjectives(problem, *transition));
  }
  return points;
}

TEST(SearchQualityTest, AmedBeatsRandomAndItsStartWithoutLearningInThreeObjectives) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const SyntheticOptions options{.seed = seed, .energy = EnergyObjective::kMeasured};
    const double amed = EnergyHypervolume(Search("amed", options, seed));
    EXPECT_GT(amed, EnergyHypervolume(Search("random", options, seed)));
    EXPECT_GT(amed, EnergyHypervolume(SearchWithoutLearning(options, seed)));
  }
}

TEST(SearchQualityTest, AmedLearnsWhatKeepsTheEnergyBudget) {
  const SyntheticOptions options{.budgets = {.max_energy_ratio = 0.5},
                                 .energy = EnergyObjective::kMeasured};
  const std::vector<Objectives> points = Search("amed", options, /*seed=*/1);
  ASSERT_EQ(points.size(), 24U);
  double lowest_start_error = 1.0;
  double lowest_learned_error = 1.0;
  int kept = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (points[i].energy_ratio > 0.5) continue;
    double& lowest = i < 8 ? lowest_start_error : lowest_learned_error;
    lowest = std::min(lowest, points[i].error_rate);
    kept += i < 8 ? 0 : 1;
  }
  EXPECT_GE(kept, 8);
  EXPECT_LT(lowest_learned_error, lowest_start_error);
}

TEST(SearchQualityTest, AmedBeatsRandomUniformAndItsStartWithoutLearning) {
  int above_random = 0;
  int above_without_learning = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    const SyntheticOptions options{.seed = seed};
    const double amed = SearchHypervolume("amed", options, seed);
    above_random += amed > SearchHypervolume("random", options, seed) ? 1 : 0;
    above_without_learning += amed > Hypervolume(SearchWithoutLearning(options, seed)) ? 1 : 0;
    EXPECT_GT(amed, SearchHypervolume("uniform", options, seed));
  }
  EXPECT_GE(above_random, 9);
  EXPECT_GE(above_without_learning, 9);
}

// Probes and tables that are wrong by factors: what is measured must correct them.
TEST(SearchQualityTest, AmedBeatsItsStartWithoutLearningWhenProbesAreBad) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(seed);
    const SyntheticOptions options{.seed = seed, .probe_log_sigma = 1.2, .table_log_sigma = 0.2};
    EXPECT_GT(SearchHypervolume("amed", options, seed),
              Hypervolume(SearchWithoutLearning(options, seed)));
  }
}

// With budgets, what counts is the best accuracy among the measured choices that keep them.
TEST(SearchQualityTest, AmedFindsMoreAccuracyWithinTheLatencyBudget) {
  const SyntheticOptions options{.budgets = {.max_latency_ratio = 0.7}};
  SyntheticEnvironment environment(options);
  SearchTrace trace;
  SearchAndCheck("amed", environment, /*seed=*/1, /*restore_each_step=*/false, trace);
  ASSERT_EQ(trace.transitions.size(), 24U);
  const double limit_ns = 0.7 * environment.problem().uniform8.latency_ns;
  double best_start = 0.0;
  double best_learned = 0.0;
  for (std::size_t i = 0; i < trace.transitions.size(); ++i) {
    const Transition& transition = trace.transitions[i];
    if (*transition.latency_ns <= limit_ns) {
      (i < 8 ? best_start : best_learned) =
          std::max(i < 8 ? best_start : best_learned, transition.accuracy);
    }
  }
  EXPECT_GT(best_learned, best_start);
}

}  // namespace
}  // namespace bitpilot
