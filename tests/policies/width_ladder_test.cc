#include "policies/width_ladder.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <limits>
#include <vector>

#include "policies/index.h"
#include "policies/random_stream.h"
#include "tests/policies/training_toy.h"

namespace bitpilot {
namespace {

// All choices of the first `count` variables, the others at 8 bits: few enough to try.
TEST(WidthLadderTest, FindsTheBestWithinEachLimit) {
  TrainingToy toy({});
  SearchProblem problem = toy.problem();
  for (std::size_t i = 6; i < problem.variables.size(); ++i) {
    problem.variables[i].widths = {8};
    problem.variables[i].sensitivity = {0.0};
  }
  const CostModel cost = CostModel::Create(problem).value();
  const WidthLadder ladder(problem, cost);
  CostFactors factors{.fixed = cost.fixed_latency_ratio(),
                      .latency = std::vector<double>(cost.operations().size(), 1.0)};
  RandomStream random(1, "ladder");
  for (int draw = 0; draw < 4; ++draw) {
    std::vector<double> losses;
    for (int at = 0; at < ladder.index().num_widths(); ++at) losses.push_back(random.NextUniform());
    const std::vector<double> limits = {0.8, 0.87, 0.95};
    const std::vector<Choice> best = ladder.Best(losses, factors, limits);
    for (std::size_t l = 0; l < limits.size(); ++l) {
      EXPECT_LE(ladder.CostOf(best[l], factors), limits[l]);
      double lowest = std::numeric_limits<double>::infinity();  // within a limit a little lower
      Choice choice = UniformChoice(problem, 8);
      for (int code = 0; code < 729; ++code) {
        int rest = code;
        double loss = 0.0;
        for (std::size_t i = 0; i < choice.size(); ++i) {
          const auto& widths = problem.variables[i].widths;
          const auto count = static_cast<int>(widths.size());
          choice[i] = widths[AsIndex(rest % count)];
          rest /= count;
          loss += losses[AsIndex(ladder.index().Of(static_cast<int>(i), choice[i]))];
        }
        if (ladder.CostOf(choice, factors) <= limits[l] - 0.005 && loss < lowest) lowest = loss;
      }
      double found = 0.0;
      for (std::size_t i = 0; i < choice.size(); ++i) {
        found += losses[AsIndex(ladder.index().Of(static_cast<int>(i), best[l][i]))];
      }
      EXPECT_LE(found, lowest + 1e-12);
    }
  }
}

TEST(WidthLadderTest, GivesTheCheapestWhereNothingIsWithinTheLimit) {
  TrainingToy toy({});
  const CostModel cost = CostModel::Create(toy.problem()).value();
  const WidthLadder ladder(toy.problem(), cost);
  const CostFactors factors{.fixed = cost.fixed_latency_ratio(),
                            .latency = std::vector<double>(cost.operations().size(), 1.0)};
  const std::vector<double> losses(AsIndex(ladder.index().num_widths()), 0.0);
  const double tight = factors.fixed + 1e-6;
  EXPECT_EQ(ladder.Best(losses, factors, {tight}).front(), ladder.Cheapest(factors));
}

}  // namespace
}  // namespace bitpilot
