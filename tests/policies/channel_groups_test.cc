// Variables of channel groups, and ties, in everything that policies are made of.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "policies/bit_allocator.h"
#include "policies/cost_model.h"
#include "policies/integer_program.h"
#include "tests/policies/all_choices.h"
#include "tests/policies/grouped_problem.h"
#include "tests/policies/random_choice.h"

namespace bitpilot {
namespace {

using Kind = DecisionVariable::Kind;

Topology Resnet(const char* name) { return StandardTopology(name).value(); }

// Index of the first variable of that name.
std::size_t Find(const SearchProblem& problem, const std::string& name) {
  for (std::size_t i = 0; i < problem.variables.size(); ++i) {
    if (problem.variables[i].name == name) return i;
  }
  ADD_FAILURE() << "no variable " << name;
  return 0;
}

// The lowest loss within `limit` by trying everything; infinite if there is none.
double BruteForce(const SearchProblem& problem, const CostModel& cost, double limit) {
  double best = std::numeric_limits<double>::infinity();
  for (const Choice& choice : AllChoices(problem)) {
    if (cost.LatencyRatio(choice) <= limit + 1e-12) {
      best = std::min(best, TotalSensitivity(problem, choice));
    }
  }
  return best;
}

TEST(ToAssignmentTest, SetsRangesAndMergesEqualNeighbours) {
  const SearchProblem problem = GroupedProblem(UnevenTopology(), 16, {2, 4, 8});
  // "wide" has 40 channels: 16, 16 and 8.
  const std::size_t wide = Find(problem, "wide[0]");
  ASSERT_EQ(problem.variables[wide + 2].channels, (ChannelRange{32, 8}));
  Choice choice = UniformChoice(problem, 8);
  choice[wide + 1] = 4;
  choice[wide + 2] = 4;
  EXPECT_EQ(ToAssignment(problem, choice).weight_bits[2],
            (std::vector<ChannelRun>{{16, 8}, {24, 4}}));
  choice[wide] = 2;
  choice[wide + 2] = 2;
  EXPECT_EQ(ToAssignment(problem, choice).weight_bits[2],
            (std::vector<ChannelRun>{{16, 2}, {16, 4}, {8, 2}}));
  EXPECT_TRUE(ValidateAssignment(problem.topology, ToAssignment(problem, choice)).ok());
}

TEST(ToAssignmentTest, GroupsOfOneWidthAreTheAssignmentOfWholeLayers) {
  for (const int channels : {16, 1}) {
    for (const char* network : {"resnet8", "mobilenet-v1-025"}) {
      SCOPED_TRACE(testing::Message() << network << " by " << channels);
      const SearchProblem groups = GroupedProblem(Resnet(network), channels, {2, 4, 8});
      for (const int bits : {2, 4, 8}) {
        const BitAssignment assignment = ToAssignment(groups, UniformChoice(groups, bits));
        EXPECT_EQ(assignment, UniformAssignment(groups.topology, bits, bits));
        EXPECT_EQ(AssignmentId(assignment),
                  AssignmentId(UniformAssignment(groups.topology, bits, bits)));
      }
    }
  }
}

TEST(ToAssignmentTest, SetsEverythingThatIsTied) {
  SearchProblem problem = GroupedProblem(UnevenTopology(), 0, {2, 4, 8});
  DecisionVariable tied = problem.variables[Find(problem, "wide[0]")];
  tied.channels = {8, 8};
  tied.ties = {{Kind::kWeights, 1, {0, 4}}, {Kind::kActivations, 2, {}}};
  problem.variables = {tied};
  const BitAssignment assignment = ToAssignment(problem, {4});
  EXPECT_EQ(assignment.weight_bits[2], (std::vector<ChannelRun>{{8, 8}, {8, 4}, {24, 8}}));
  EXPECT_EQ(assignment.weight_bits[1], (std::vector<ChannelRun>{{4, 4}, {20, 8}}));
  EXPECT_EQ(assignment.activation_bits, (std::vector<int>{8, 8, 4, 8, 8}));
  EXPECT_EQ(ToAssignment(problem, {8}), problem.base);
}

TEST(WithWidthTest, ChangesTheVariablesPositionsOnly) {
  const SearchProblem problem = GroupedProblem(UnevenTopology(), 16, {2, 4, 8});
  for (std::size_t i = 0; i < problem.variables.size(); ++i) {
    Choice choice = UniformChoice(problem, 8);
    choice[i] = 2;
    EXPECT_EQ(WithWidth(problem.base, problem.variables[i], 2), ToAssignment(problem, choice));
  }
}

TEST(GroupedCostModelTest, AgreesWithThePredictionOfTheTable) {
  for (const char* network : {"resnet8", "mobilenet-v1-025", "uneven"}) {
    for (const int channels : {0, 16, 5, 1}) {
      SCOPED_TRACE(testing::Message() << network << " by " << channels);
      const Topology topology =
          network == std::string("uneven") ? UnevenTopology() : Resnet(network);
      const SearchProblem problem = GroupedProblem(topology, channels, {2, 3, 4, 8});
      const Result<CostModel> cost = CostModel::Create(problem);
      ASSERT_TRUE(cost.ok()) << cost.status().message();
      const double uniform_ns =
          PredictCost(problem.table, topology, UniformAssignment(topology, 8, 8))->latency_ns;
      RandomStream random(1, network);
      for (int i = 0; i < 20; ++i) {
        const Choice choice = RandomChoice(problem, random);
        const BitAssignment assignment = ToAssignment(problem, choice);
        const double ns = PredictCost(problem.table, topology, assignment)->latency_ns;
        const PredictedCost predicted = cost->Predict(choice);
        EXPECT_NEAR(predicted.latency_ratio, ns / uniform_ns, 1e-12);
        EXPECT_EQ(predicted.weight_bytes, WeightBytes(topology, assignment));
        const int variable = random.NextIndex(static_cast<int>(choice.size()));
        Choice changed = choice;
        changed[static_cast<std::size_t>(variable)] = 4;
        EXPECT_NEAR(cost->LatencyRatioDelta(choice, variable, 4),
                    cost->LatencyRatio(changed) - cost->LatencyRatio(choice), 1e-13);
      }
    }
  }
}

// Tied across a layer, its own input and half of another layer; the rest of that layer is fixed.
TEST(GroupedCostModelTest, ChargesTiesAndChannelsThatNoVariableSets) {
  SearchProblem problem = GroupedProblem(UnevenTopology(), 0, {2, 4, 8});
  DecisionVariable tied = problem.variables[Find(problem, "wide[0]")];
  tied.ties = {{Kind::kActivations, 2, {}}, {Kind::kWeights, 1, {6, 12}}};
  DecisionVariable tensor = problem.variables[Find(problem, "first")];
  ASSERT_EQ(tensor.kind, Kind::kActivations);
  problem.variables = {tied, tensor};
  problem.base.weight_bits[1] = {{10, 6}, {14, 3}};
  const CostModel cost = CostModel::Create(problem).value();
  const double uniform_ns =
      PredictCost(problem.table, problem.topology, UniformAssignment(problem.topology, 8, 8))
          ->latency_ns;
  EXPECT_EQ(cost.OperationsOf(0).size(), 2U) << "each operation once";
  for (const Choice& choice : AllChoices(problem)) {
    const BitAssignment assignment = ToAssignment(problem, choice);
    const double ns = PredictCost(problem.table, problem.topology, assignment)->latency_ns;
    EXPECT_NEAR(cost.Predict(choice).latency_ratio, ns / uniform_ns, 1e-13);
    EXPECT_EQ(cost.Predict(choice).weight_bytes, WeightBytes(problem.topology, assignment));
  }
}

TEST(GroupedCostModelTest, RefusesRangesAndTiesThatDoNotFit) {
  const SearchProblem good = GroupedProblem(UnevenTopology(), 16, {2, 8});
  const std::size_t wide = Find(good, "wide[0]");
  const auto refuses = [&](const auto& change) {
    SearchProblem problem = good;
    change(problem.variables[wide]);
    const Status status = CostModel::Create(problem).status();
    return status.code() == StatusCode::kInvalidArgument &&
           status.message().find("\"wide[0]\"") != std::string::npos;
  };
  ASSERT_TRUE(CostModel::Create(good).ok());
  EXPECT_TRUE(refuses([](DecisionVariable& v) { v.channels = {32, 9}; }));
  EXPECT_TRUE(refuses([](DecisionVariable& v) { v.channels = {-1, 4}; }));
  EXPECT_TRUE(refuses([](DecisionVariable& v) { v.channels = {4, 0}; }));
  EXPECT_TRUE(refuses([](DecisionVariable& v) { v.channels = {0, -4}; }));
  EXPECT_TRUE(refuses([](DecisionVariable& v) {
    v.channels = {std::numeric_limits<int>::max(), std::numeric_limits<int>::max()};
  }));
  EXPECT_TRUE(refuses([](DecisionVariable& v) { v.ties = {{Kind::kWeights, 2, {0, 1}}}; }));
  EXPECT_TRUE(refuses([](DecisionVariable& v) { v.ties = {{Kind::kActivations, 99, {}}}; }));
  SearchProblem overlap = good;
  overlap.variables[wide + 1].channels = {15, 16};
  EXPECT_EQ(CostModel::Create(overlap).status().code(), StatusCode::kInvalidArgument);
}

TEST(IndependentGroupsTest, ATieJoinsWhatItTouches) {
  for (const int channels : {16, 1}) {
    SearchProblem problem = GroupedProblem(Resnet("resnet8"), channels, {2, 8});
    const CostModel apart = CostModel::Create(problem).value();
    const std::size_t before = IndependentGroups(problem, apart).size();
    // Ties the weights of two layers that read different tensors.
    const int layer = problem.variables.front().index;
    problem.variables.front().ties = {
        {Kind::kWeights, layer + 1, problem.variables.front().channels}};
    std::erase_if(problem.variables, [&](const DecisionVariable& v) {
      return v.kind == Kind::kWeights && v.index == layer + 1 &&
             v.channels.first == problem.variables.front().channels.first;
    });
    const CostModel cost = CostModel::Create(problem).value();
    const std::vector<VariableGroup> groups = IndependentGroups(problem, cost);
    EXPECT_EQ(groups.size(), before - 1);
    std::multiset<int> variables;
    std::multiset<int> operations;
    for (const VariableGroup& group : groups) {
      variables.insert(group.variables.begin(), group.variables.end());
      operations.insert(group.operations.begin(), group.operations.end());
      for (int i = 0; i < group.num_heads; ++i) {
        const auto head = static_cast<std::size_t>(group.variables[static_cast<std::size_t>(i)]);
        EXPECT_EQ(problem.variables[head].kind, Kind::kActivations);
      }
    }
    EXPECT_EQ(variables.size(), problem.variables.size());
    EXPECT_EQ(std::set<int>(variables.begin(), variables.end()).size(), variables.size());
    EXPECT_EQ(operations.size(), cost.operations().size());
    EXPECT_EQ(std::set<int>(operations.begin(), operations.end()).size(), operations.size());
  }
}

TEST(GroupedBitAllocatorTest, EqualsBruteForceWithGroupsAndTies) {
  for (const bool tie : {false, true}) {
    SearchProblem problem = GroupedProblem(UnevenTopology(), 16, {2, 4, 8});
    if (tie) {
      // Two heads: "first", which "depthwise" reads, and "depthwise", which "wide" reads.
      DecisionVariable& variable = problem.variables[Find(problem, "wide[32]")];
      variable.ties = {{Kind::kWeights, 1, {16, 8}}};
      problem.variables.erase(problem.variables.begin() +
                              static_cast<std::ptrdiff_t>(Find(problem, "depthwise[16]")));
    }
    const CostModel cost = CostModel::Create(problem).value();
    const BitAllocator allocator(problem, cost);
    for (const double limit : {0.6, 0.75, 0.9}) {
      SCOPED_TRACE(testing::Message() << "tie " << tie << ", limit " << limit);
      const double expected = BruteForce(problem, cost, limit);
      const Result<Choice> actual = allocator.MinimizeLoss(limit);
      ASSERT_EQ(actual.ok(), std::isfinite(expected));
      if (!actual.ok()) continue;
      EXPECT_TRUE(IsLegal(problem, *actual));
      EXPECT_LE(cost.LatencyRatio(*actual), limit + 1e-12);
      EXPECT_NEAR(TotalSensitivity(problem, *actual), expected, 1e-5 * (1.0 + expected));
    }
  }
}

// The best that any choice could reach, by weak duality: for every price of latency, the lowest sum of
// loss and price x latency, less price x limit.
double LowerBound(const SearchProblem& problem, const CostModel& cost, double limit) {
  double bound = 0.0;
  for (double price = 1e-4; price < 1e4; price *= 1.2) {
    double sum = price * (cost.fixed_latency_ratio() - limit);
    for (const VariableGroup& group : IndependentGroups(problem, cost)) {
      const bool has_head = group.num_heads == 1;
      double best = std::numeric_limits<double>::infinity();
      const auto head = static_cast<std::size_t>(group.variables.front());
      const std::vector<int> head_widths =
          has_head ? problem.variables[head].widths : std::vector<int>{0};
      for (std::size_t k = 0; k < head_widths.size(); ++k) {
        double value = has_head ? problem.variables[head].sensitivity[k] : 0.0;
        const auto read = static_cast<std::size_t>(head_widths[k]);
        for (const int index : group.operations) {
          value +=
              price * cost.operations()[static_cast<std::size_t>(index)].latency_ratio[0][read];
        }
        for (std::size_t i = has_head ? 1 : 0; i < group.variables.size(); ++i) {
          const DecisionVariable& variable =
              problem.variables[static_cast<std::size_t>(group.variables[i])];
          double least = std::numeric_limits<double>::infinity();
          for (std::size_t w = 0; w < variable.widths.size(); ++w) {
            double at = variable.sensitivity[w];
            for (const int index : cost.OperationsOf(group.variables[i])) {
              const SearchedOperation& op = cost.operations()[static_cast<std::size_t>(index)];
              for (const OperationPart& part : op.parts) {
                if (part.variable != group.variables[i]) continue;
                at += price * part.share *
                      op.latency_ratio[static_cast<std::size_t>(variable.widths[w])][read];
              }
            }
            least = std::min(least, at);
          }
          value += least;
        }
        best = std::min(best, value);
      }
      sum += best;
    }
    bound = std::max(bound, sum);
  }
  return bound;
}

TEST(GroupedBitAllocatorTest, SingleChannelsComeCloseToTheBestThatIsPossible) {
  const SearchProblem problem = GroupedProblem(Resnet("resnet8"), 1, {2, 4, 6, 8});
  ASSERT_GT(problem.variables.size(), 300U);
  const CostModel cost = CostModel::Create(problem).value();
  const BitAllocator allocator(problem, cost);
  const Choice fastest = allocator.MinimizeLatency().value();
  const double least = cost.LatencyRatio(fastest);
  const double most = TotalSensitivity(problem, fastest);
  for (const double share : {0.3, 0.7}) {
    const double limit = least + share * (1.0 - least);
    SCOPED_TRACE(testing::Message() << "limit " << limit);
    const Result<Choice> answer = allocator.MinimizeLoss(limit);
    ASSERT_TRUE(answer.ok());
    ASSERT_TRUE(IsLegal(problem, *answer));
    EXPECT_LE(cost.LatencyRatio(*answer), limit + 1e-9);
    const double loss = TotalSensitivity(problem, *answer);
    const double bound = LowerBound(problem, cost, limit);
    EXPECT_GE(loss, bound - 1e-6 * most);
    // Whole layers would be 10 % and more away.
    EXPECT_LE(loss, bound + 0.01 * most);
    EXPECT_TRUE(allocator.CheckAnswer(limit, *answer).ok());
  }
}

TEST(GroupedBitAllocatorTest, SingleChannelsKeepASizeBudget) {
  SearchProblem problem = GroupedProblem(Resnet("resnet8"), 1, {2, 4, 8});
  const CostModel cost = CostModel::Create(problem).value();
  const std::int64_t least = cost.Predict(UniformChoice(problem, 2)).weight_bytes;
  const std::int64_t most = cost.Predict(UniformChoice(problem, 8)).weight_bytes;
  for (const std::int64_t budget : {least, (3 * least + most) / 4, (least + most) / 2}) {
    problem.budgets.max_weight_bytes = budget;
    const BitAllocator allocator(problem, cost);
    const Result<Choice> fastest = allocator.MinimizeLatency();
    ASSERT_TRUE(fastest.ok()) << budget;
    EXPECT_LE(cost.Predict(*fastest).weight_bytes, budget);
    const Result<Choice> answer = allocator.MinimizeLoss(2.0);
    ASSERT_TRUE(answer.ok()) << budget;
    EXPECT_LE(cost.Predict(*answer).weight_bytes, budget);
  }
}

// One variable of weights touches every layer, so all tensors are heads of one group.
TEST(GroupedBitAllocatorTest, AnswersWhereATieJoinsMoreTensorsThanCanBeTriedJointly) {
  SearchProblem problem = GroupedProblem(Resnet("resnet20"), 0, {2, 3, 4, 5, 6, 7, 8});
  DecisionVariable all = problem.variables.front();
  for (const DecisionVariable& variable : problem.variables) {
    if (variable.kind == Kind::kWeights && variable.index != all.index) {
      all.ties.push_back({Kind::kWeights, variable.index, {}});
    }
  }
  std::erase_if(problem.variables,
                [](const DecisionVariable& v) { return v.kind == Kind::kWeights; });
  problem.variables.push_back(all);
  const CostModel cost = CostModel::Create(problem).value();
  const BitAllocator allocator(problem, cost);
  for (const double limit : {0.7, 0.9}) {
    const Result<Choice> answer = allocator.MinimizeLoss(limit);
    ASSERT_TRUE(answer.ok());
    EXPECT_TRUE(IsLegal(problem, *answer));
    EXPECT_LE(cost.LatencyRatio(*answer), limit + 1e-9);
  }
}

TEST(GroupedIntegerProgramTest, ItsAnswersAreLegalAndCheckable) {
  for (const int channels : {16, 1}) {
    const SearchProblem problem = GroupedProblem(Resnet("resnet8"), channels, {2, 4, 8});
    const CostModel cost = CostModel::Create(problem).value();
    const Result<IntegerProgramAnswers> solved = SolveIntegerProgram(problem, cost, 3);
    ASSERT_TRUE(solved.ok()) << solved.status().message();
    EXPECT_TRUE(CheckIntegerProgram(problem, cost, 3, *solved).ok());
    bool mixes = false;
    for (const IntegerProgramAnswer& answer : solved->answers) {
      EXPECT_TRUE(IsLegal(problem, answer.choice));
      for (const auto& runs : ToAssignment(problem, answer.choice).weight_bits) {
        mixes = mixes || runs.size() > 1;
      }
    }
    EXPECT_TRUE(mixes) << "some layer has channels of different widths";
  }
}

}  // namespace
}  // namespace bitpilot
