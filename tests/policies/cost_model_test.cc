#include "policies/cost_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "policies/random_stream.h"
#include "tests/policies/random_choice.h"
#include "tests/policies/synthetic_environment.h"

namespace bitpilot {
namespace {

TEST(CostModelTest, AgreesWithThePredictionOfTheTable) {
  for (const char* network : {"resnet8", "resnet20", "mobilenet-v1-025"}) {
    SCOPED_TRACE(network);
    const SyntheticEnvironment environment({.network = network});
    SearchProblem problem = environment.problem();
    problem.table.operations[{problem.topology.operations.back().name, 8, 8}].latency_ns += 77.0;
    const Result<CostModel> cost = CostModel::Create(problem);
    ASSERT_TRUE(cost.ok());
    const double uniform_ns =
        PredictCost(problem.table, problem.topology, UniformAssignment(problem.topology, 8, 8))
            ->latency_ns;
    RandomStream random(1, network);
    for (int i = 0; i < 50; ++i) {
      const Choice choice = RandomChoice(problem, random);
      const BitAssignment assignment = ToAssignment(problem, choice);
      const double ns = PredictCost(problem.table, problem.topology, assignment)->latency_ns;
      const PredictedCost predicted = cost->Predict(choice);
      // A sum of fewer than 100 terms in two orders.
      EXPECT_NEAR(predicted.latency_ratio, ns / uniform_ns, 1e-13);
      EXPECT_FALSE(predicted.energy_ratio.has_value());
      EXPECT_EQ(predicted.weight_bytes, WeightBytes(problem.topology, assignment));
    }
  }
}

TEST(CostModelTest, DeltaEqualsTheDifferenceOfTwoPredictions) {
  const SyntheticEnvironment environment({});
  const SearchProblem& problem = environment.problem();
  const Result<CostModel> cost = CostModel::Create(problem);
  ASSERT_TRUE(cost.ok());
  RandomStream random(1, "delta");
  for (int i = 0; i < 200; ++i) {
    const Choice choice = RandomChoice(problem, random);
    const int variable = random.NextIndex(static_cast<int>(choice.size()));
    Choice changed = choice;
    changed[static_cast<std::size_t>(variable)] = 2 + random.NextIndex(7);
    EXPECT_NEAR(
        cost->LatencyRatioDelta(choice, variable, changed[static_cast<std::size_t>(variable)]),
        cost->LatencyRatio(changed) - cost->LatencyRatio(choice), 1e-13);
  }
}

TEST(CostModelTest, PredictsEnergyWhereTheTableHasIt) {
  SearchProblem problem = SyntheticEnvironment({}).problem();
  problem.table.energy_unit = "uJ-model";
  for (auto& [key, cost] : problem.table.operations) {
    cost.energy = std::get<1>(key) == 8 ? 2.0 : 1.0;
  }
  const Result<CostModel> cost = CostModel::Create(problem);
  ASSERT_TRUE(cost.ok());
  EXPECT_DOUBLE_EQ(*cost->Predict(UniformChoice(problem, 8)).energy_ratio, 1.0);
  // ResNet-8 has 10 layers; the first and the last keep 8 bits: (2 x 2 + 8 x 1) / (10 x 2).
  EXPECT_DOUBLE_EQ(*cost->Predict(UniformChoice(problem, 4)).energy_ratio, 0.6);
}

TEST(CostModelTest, NamesTheRowThatTheTableLacks) {
  SearchProblem problem = SyntheticEnvironment({}).problem();
  const DecisionVariable& weights = problem.variables.front();
  ASSERT_EQ(weights.kind, DecisionVariable::Kind::kWeights);
  problem.table.operations.erase({weights.name, 3, 5});
  const Result<CostModel> cost = CostModel::Create(problem);
  ASSERT_FALSE(cost.ok());
  EXPECT_EQ(cost.status().code(), StatusCode::kNotFound);
  EXPECT_NE(cost.status().message().find("op " + weights.name + " w 3 a 5"), std::string::npos);
}

TEST(CostModelTest, RefusesMalformedProblems) {
  const SearchProblem good = SyntheticEnvironment({}).problem();
  const auto code = [](const SearchProblem& problem) {
    return CostModel::Create(problem).status().code();
  };
  ASSERT_EQ(code(good), StatusCode::kOk);
  SearchProblem problem = good;
  problem.variables[0].index = 1000;
  EXPECT_EQ(code(problem), StatusCode::kInvalidArgument);
  problem = good;
  problem.variables[0].widths = {8, 4, 2, 3, 5, 6, 7};
  EXPECT_EQ(code(problem), StatusCode::kInvalidArgument);
  problem = good;
  problem.variables[0].widths.back() = 9;
  EXPECT_EQ(code(problem), StatusCode::kInvalidArgument);
  problem = good;
  problem.variables[0].sensitivity.pop_back();
  EXPECT_EQ(code(problem), StatusCode::kInvalidArgument);
  problem = good;
  problem.variables[0].sensitivity[0] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(code(problem), StatusCode::kInvalidArgument);
  problem = good;
  problem.variables[1] = problem.variables[0];
  EXPECT_EQ(code(problem), StatusCode::kInvalidArgument);
  problem = good;
  for (auto& [key, cost] : problem.table.operations) {
    cost.latency_ns = 0.0;
  }
  problem.table.overhead_latency_ns = 0.0;
  EXPECT_EQ(code(problem), StatusCode::kInvalidArgument);
}

TEST(UniformChoiceTest, TakesTheNearestLegalWidthAndTheWiderOfTwo) {
  SearchProblem problem = SyntheticEnvironment({}).problem();
  problem.variables.resize(3);
  problem.variables[0].widths = {2, 4, 8};
  problem.variables[1].widths = {8};
  problem.variables[2].widths = {1, 5};
  EXPECT_EQ(UniformChoice(problem, 3), (Choice{4, 8, 5}));
  EXPECT_EQ(UniformChoice(problem, 6), (Choice{8, 8, 5}));
  EXPECT_EQ(UniformChoice(problem, 2), (Choice{2, 8, 1}));
}

TEST(ToAssignmentTest, ChangesSearchedPositionsOnly) {
  const SyntheticEnvironment environment({});
  const SearchProblem& problem = environment.problem();
  EXPECT_EQ(ToAssignment(problem, UniformChoice(problem, 3)),
            UniformAssignment(problem.topology, 3, 3));
  EXPECT_EQ(ToAssignment(problem, UniformChoice(problem, 8)), problem.base);
}

}  // namespace
}  // namespace bitpilot
