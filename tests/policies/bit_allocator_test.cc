#include "policies/bit_allocator.h"

#include <gtest/gtest.h>

#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "policies/ilp.h"
#include "tests/policies/all_choices.h"
#include "tests/policies/synthetic_environment.h"

namespace bitpilot {
namespace {

constexpr double kRounding = 1e-12;  // of sums in different orders

// ResNet-8 with three widths and only its first `count` variables of each kind searched: 3^(2
// count) choices.
SearchProblem FirstVariables(std::uint64_t seed, std::size_t count) {
  SearchProblem problem = SyntheticEnvironment({.widths = {2, 4, 8}, .seed = seed}).problem();
  std::vector<DecisionVariable> kept;
  std::size_t taken[2] = {0, 0};
  for (const DecisionVariable& variable : problem.variables) {
    if (taken[static_cast<std::size_t>(variable.kind)]++ < count) {
      kept.push_back(variable);
    }
  }
  problem.variables = kept;
  return problem;
}

TEST(BitAllocatorTest, EqualsBruteForceWithAndWithoutASizeBudget) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    for (const bool sized : {false, true}) {
      SCOPED_TRACE(testing::Message() << "seed " << seed << ", size budget " << sized);
      SearchProblem problem = FirstVariables(seed, 4);
      const CostModel cost = CostModel::Create(problem).value();
      const std::vector<Choice> all = AllChoices(problem);
      if (sized) {
        const std::int64_t least = cost.Predict(UniformChoice(problem, 2)).weight_bytes;
        const std::int64_t most = cost.Predict(UniformChoice(problem, 8)).weight_bytes;
        problem.budgets.max_weight_bytes = (2 * least + most) / 3;
      }
      const BitAllocator allocator(problem, cost);
      for (const double limit : {0.8, 0.9, 1.0}) {
        double expected = std::numeric_limits<double>::infinity();
        for (const Choice& choice : all) {
          const PredictedCost predicted = cost.Predict(choice);
          if (predicted.latency_ratio <= limit + kRounding &&
              predicted.weight_bytes <=
                  problem.budgets.max_weight_bytes.value_or(predicted.weight_bytes)) {
            expected = std::min(expected, TotalSensitivity(problem, choice));
          }
        }
        const Result<Choice> actual = allocator.MinimizeLoss(limit);
        ASSERT_EQ(actual.ok(), std::isfinite(expected));
        if (actual.ok()) {
          EXPECT_LE(cost.LatencyRatio(*actual), limit + kRounding);
          EXPECT_NEAR(TotalSensitivity(problem, *actual), expected, 1e-5 * (1.0 + expected));
        }
      }
    }
  }
}

TEST(BitAllocatorTest, FindsTheFastestChoice) {
  const SearchProblem problem = FirstVariables(1, 4);
  const CostModel cost = CostModel::Create(problem).value();
  double expected = std::numeric_limits<double>::infinity();
  for (const Choice& choice : AllChoices(problem)) {
    expected = std::min(expected, cost.LatencyRatio(choice));
  }
  const Result<Choice> fastest = BitAllocator(problem, cost).MinimizeLatency();
  ASSERT_TRUE(fastest.ok());
  EXPECT_NEAR(cost.LatencyRatio(*fastest), expected, 1e-6);
}

TEST(BitAllocatorTest, NamesTheLimitsThatCannotBeKept) {
  SearchProblem problem = FirstVariables(1, 4);
  const CostModel cost = CostModel::Create(problem).value();
  const Result<Choice> too_fast = BitAllocator(problem, cost).MinimizeLoss(0.01);
  ASSERT_FALSE(too_fast.ok());
  EXPECT_EQ(too_fast.status().code(), StatusCode::kNotFound);
  EXPECT_NE(too_fast.status().message().find("latency ratio <= 0.01"), std::string::npos);
  problem.budgets.max_weight_bytes = 0;
  const Result<Choice> too_small = BitAllocator(problem, cost).MinimizeLatency();
  EXPECT_EQ(too_small.status().code(), StatusCode::kNotFound);
}

TEST(BitAllocatorTest, KeepsAPredictedEnergyBudget) {
  SearchProblem problem = FirstVariables(1, 4);
  problem.table.energy_unit = "uJ-model";
  for (auto& [key, cost] : problem.table.operations) {
    cost.energy = static_cast<double>(std::get<1>(key) * std::get<2>(key));
  }
  problem.budgets.max_energy_ratio = 0.9;
  const CostModel cost = CostModel::Create(problem).value();
  const Result<Choice> choice = BitAllocator(problem, cost).MinimizeLoss(2.0);
  ASSERT_TRUE(choice.ok());
  EXPECT_LE(*cost.Predict(*choice).energy_ratio, 0.9);
  EXPECT_GT(*cost.Predict(*choice).energy_ratio, 0.7);  // spends what it may
}

TEST(IndependentGroupsTest, CoverEveryVariableOnceAndShareNoOperation) {
  for (const char* network : {"resnet8", "resnet20-proj", "mobilenet-v2"}) {
    SCOPED_TRACE(network);
    const SyntheticEnvironment environment({.network = network});
    const CostModel cost = CostModel::Create(environment.problem()).value();
    std::multiset<int> variables;
    std::multiset<int> operations;
    for (const VariableGroup& group : IndependentGroups(environment.problem(), cost)) {
      variables.insert(group.variables.begin(), group.variables.end());
      operations.insert(group.operations.begin(), group.operations.end());
    }
    EXPECT_EQ(variables.size(), environment.problem().variables.size());
    EXPECT_EQ(std::set<int>(variables.begin(), variables.end()).size(), variables.size());
    EXPECT_EQ(operations.size(), cost.operations().size());
    EXPECT_EQ(std::set<int>(operations.begin(), operations.end()).size(), operations.size());
  }
}

TEST(IlpAnswersTest, AscendInLatencyAndDescendInPredictedLoss) {
  const SyntheticEnvironment environment({});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  const std::vector<Candidate> answers = IlpAnswers(problem, cost, 8).value();
  ASSERT_EQ(answers.size(), 8U);
  for (std::size_t i = 1; i < answers.size(); ++i) {
    EXPECT_GT(cost.LatencyRatio(answers[i].choice), cost.LatencyRatio(answers[i - 1].choice));
    EXPECT_LT(TotalSensitivity(problem, answers[i].choice),
              TotalSensitivity(problem, answers[i - 1].choice));
  }
  EXPECT_LE(cost.LatencyRatio(answers.back().choice), 1.0);
}

TEST(IlpAnswersTest, PutsHalfOfThemWithinTheLatencyBudget) {
  const SyntheticEnvironment environment({.budgets = {.max_latency_ratio = 0.75}});
  const CostModel cost = CostModel::Create(environment.problem()).value();
  int within = 0;
  const std::vector<Candidate> answers = IlpAnswers(environment.problem(), cost, 8).value();
  for (const Candidate& answer : answers) {
    within += cost.LatencyRatio(answer.choice) <= 0.75 ? 1 : 0;
  }
  EXPECT_EQ(answers.size(), 8U);
  EXPECT_EQ(within, 4);
}

TEST(IlpAnswersTest, StandInForAnUnreachableLatencyBudgetWithTheFastestChoice) {
  const SyntheticEnvironment environment({.budgets = {.max_latency_ratio = 0.01}});
  const CostModel cost = CostModel::Create(environment.problem()).value();
  const std::vector<Candidate> answers = IlpAnswers(environment.problem(), cost, 8).value();
  ASSERT_FALSE(answers.empty());
  const Choice fastest = BitAllocator(environment.problem(), cost).MinimizeLatency().value();
  EXPECT_NEAR(cost.LatencyRatio(answers.front().choice), cost.LatencyRatio(fastest), 1e-6);
}

}  // namespace
}  // namespace bitpilot
