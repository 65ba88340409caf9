#include "policies/class_objective.h"

#include <gtest/gtest.h>

#include "policies/reward.h"
#include "policies/transition.h"
#include "tests/policies/small_problem.h"
#include "tests/policies/trial_outcome.h"

namespace bitpilot {
namespace {

using Objective = ClassObjective::Kind;

const Measured kFast{.ratio = 0.5,
                     .ratio_low = 0.49,
                     .ratio_high = 0.51,
                     .energy_ratio = 0.9,
                     .energy_ratio_uncertainty = 0.02};
const Measured kSlow{.ratio = 0.7,
                     .ratio_low = 0.6,
                     .ratio_high = 0.8,
                     .energy_ratio = 0.4,
                     .energy_ratio_uncertainty = 0.01};

TEST(ClassObjectiveTest, IsReadByItsWordOrAsAClass) {
  EXPECT_EQ(ParseClassObjective("worst"), ClassObjective{Objective::kWorst});
  EXPECT_EQ(ParseClassObjective("mean"), ClassObjective{Objective::kMean});
  EXPECT_EQ(ParseClassObjective("pi5"), (ClassObjective{Objective::kOne, "pi5"}));
}

TEST(ClassObjectiveTest, TheWorstIsTheLargestOfEachFigureWithItsOwnInterval) {
  const auto joint = JointOf({Objective::kWorst}, OutcomeOf({{"a", kFast}, {"b", kSlow}}));
  ASSERT_TRUE(joint);
  EXPECT_EQ(joint->figures.ratio, 0.7);
  EXPECT_EQ(joint->figures.ratio_low, 0.6);
  EXPECT_EQ(joint->figures.ratio_high, 0.8);
  EXPECT_EQ(joint->latency_deviation, LatencyDeviation(kSlow));
  EXPECT_EQ(joint->figures.energy_ratio, 0.9) << "of class a, which is the faster one";
  EXPECT_EQ(joint->figures.energy_ratio_uncertainty, 0.02);
}

// What fails somewhere runs there not at all: nothing of it may look like the worst of the others.
TEST(ClassObjectiveTest, WhatFailsOnAClassHasNoWorstFigure) {
  const TrialOutcome outcome = OutcomeOf({{"a", kFast}, {"b", CandidateFailed{"OOM"}}});
  EXPECT_FALSE(JointOf({Objective::kWorst}, outcome));
  EXPECT_EQ(JointOf({Objective::kMean}, outcome)->figures.ratio, 0.5);
  EXPECT_EQ(JointOf({Objective::kOne, "a"}, outcome)->figures.ratio, 0.5);
  EXPECT_FALSE(JointOf({Objective::kOne, "b"}, outcome));
  SearchProblem problem = SmallProblem();
  problem.class_objective = {Objective::kWorst};
  EXPECT_EQ(ToTransition(problem, Trial{.what = {.choice = {4, 2}}}, outcome).status,
            TransitionStatus::kFailed);
}

TEST(ClassObjectiveTest, AnEnergyThatAClassLacksIsNoWorstOne) {
  Measured without = kSlow;
  without.energy_ratio.reset();
  const TrialOutcome outcome = OutcomeOf({{"a", kFast}, {"b", without}});
  EXPECT_FALSE(JointOf({Objective::kWorst}, outcome)->figures.energy_ratio);
  EXPECT_EQ(JointOf({Objective::kMean}, outcome)->figures.energy_ratio, 0.9);
}

TEST(ClassObjectiveTest, OneClassIsTheSameByEveryWord) {
  const TrialOutcome outcome = OutcomeOf({{"a", kSlow}});
  for (const ClassObjective& objective :
       {ClassObjective{Objective::kWorst}, ClassObjective{Objective::kMean},
        ClassObjective{Objective::kOne, "a"}}) {
    EXPECT_EQ(JointOf(objective, outcome)->figures, kSlow);
    EXPECT_EQ(JointOf(objective, outcome)->latency_deviation, LatencyDeviation(kSlow));
  }
}

TEST(ClassObjectiveTest, TheRewardOfTheWorstIsTheLeast) {
  SearchProblem problem = SmallProblem();
  const TrialOutcome outcome = OutcomeOf({{"a", kFast}, {"b", kSlow}});
  problem.class_objective = {Objective::kWorst};
  EXPECT_EQ(JointUtility(problem, outcome), Utility(problem, outcome, "b"));
  problem.class_objective = {Objective::kOne, "a"};
  EXPECT_EQ(JointUtility(problem, outcome), Utility(problem, outcome, "a"));
}

}  // namespace
}  // namespace bitpilot
