#include "policies/target_utility.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

namespace bitpilot {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

SearchProblem ProblemWith(const Budgets& budgets) {
  SearchProblem problem;
  problem.budgets = budgets;
  return problem;
}

// Error rates .1 for 8 bit, and about .8 a nat more.
TargetUtility WithLatencies(const SearchProblem& problem, const std::vector<double>& latencies) {
  std::vector<TargetCost> costs;
  for (const double latency : latencies) costs.push_back({.latency = latency});
  return TargetUtility(problem, ErrorLink{.reference = 0.1, .ceiling = 0.8, .rate = 1.0}, costs);
}

TEST(WhatAddsMostTest, PicksTheFrontTheLargestStepFirst) {
  const SearchProblem problem = ProblemWith({});
  // The third is beaten by the second, the last is 8 bit.
  const TargetUtility utility = WithLatencies(problem, {0.55, 0.6, 0.65, 1.0});
  const std::vector<double> losses = {0.2, 0.05, 0.06, 0.0};
  EXPECT_THAT(WhatAddsMost(utility, losses, {0, 1, 2, 3}, 4, 1e-6), ElementsAre(1, 3, 0));
  EXPECT_THAT(WhatAddsMost(utility, losses, {0, 1, 2, 3}, 1, 1e-6), ElementsAre(1));
}

TEST(WhatAddsMostTest, CountsWhatIsThereAlready) {
  const SearchProblem problem = ProblemWith({});
  const TargetUtility utility = WithLatencies(problem, {0.55, 0.6, 0.65, 1.0});
  const std::vector<double> losses = {0.2, 0.05, 0.06, 0.0};
  EXPECT_THAT(WhatAddsMost(utility, losses, {0, 2}, 4, 1e-6), ElementsAre(0));
  EXPECT_THAT(WhatAddsMost(utility, losses, {2}, 4, 1e-6), IsEmpty());
}

TEST(WhatAddsMostTest, PicksOneNetworkWithinABudget) {
  const SearchProblem problem = ProblemWith({.max_latency_ratio = 0.62});
  const TargetUtility utility = WithLatencies(problem, {0.55, 0.6, 0.65, 1.0});
  EXPECT_THAT(WhatAddsMost(utility, {0.2, 0.05, 0.06, 0.0}, {0, 1, 2, 3}, 4, 1e-6), ElementsAre(1));
}

}  // namespace
}  // namespace bitpilot
