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

// What fails somewhere runs there not at all: nothing of it may look like the worst of the others, or
// like a mean that is better than those of what runs everywhere.
TEST(ClassObjectiveTest, WhatFailsOnAClassThatCountsHasNoFigure) {
  const TrialOutcome outcome = OutcomeOf({{"a", kFast}, {"b", CandidateFailed{"OOM"}}});
  SearchProblem problem = SmallProblem();
  const Trial trial{.what = {.choice = {4, 2}}};
  for (const ClassObjective& objective :
       {ClassObjective{Objective::kWorst}, ClassObjective{Objective::kMean},
        ClassObjective{Objective::kOne, "b"}}) {
    EXPECT_FALSE(JointOf(objective, outcome));
    problem.class_objective = objective;
    EXPECT_EQ(ToTransition(problem, trial, outcome).status, TransitionStatus::kFailed);
    EXPECT_FALSE(JointUtility(problem, outcome));
  }
  EXPECT_EQ(JointOf({Objective::kOne, "a"}, outcome)->figures.ratio, 0.5);
}

// Fast where there was a board says nothing of where there was none, also if a table foretells it.
TEST(ClassObjectiveTest, WhatNoBoardOfAClassThatCountsMeasuredHasNoFigure) {
  const TrialOutcome outcome =
      OutcomeOf({{"a", kFast}, {"b", BoardUnavailable{"unplugged", /*predicted_ratio=*/0.99}}});
  SearchProblem problem = SmallProblem();
  const Trial trial{.what = {.choice = {4, 2}}};
  for (const ClassObjective& objective :
       {ClassObjective{Objective::kWorst}, ClassObjective{Objective::kMean},
        ClassObjective{Objective::kOne, "b"}}) {
    EXPECT_FALSE(JointOf(objective, outcome));
    problem.class_objective = objective;
    EXPECT_EQ(ToTransition(problem, trial, outcome).status, TransitionStatus::kUnavailable);
    EXPECT_FALSE(JointUtility(problem, outcome));
  }
  EXPECT_EQ(JointOf({Objective::kOne, "a"}, outcome)->figures.ratio, 0.5);
}

TEST(ClassObjectiveTest, AFailureWhereNothingCountsSaysNothing) {
  SearchProblem problem = SmallProblem();
  problem.class_objective = {Objective::kOne, "a"};
  const TrialOutcome outcome =
      OutcomeOf({{"a", BoardUnavailable{"unplugged"}}, {"b", CandidateFailed{"OOM"}}});
  EXPECT_EQ(ToTransition(problem, Trial{.what = {.choice = {4, 2}}}, outcome).status,
            TransitionStatus::kUnavailable);
}

// A mean of the class that knows it would be compared with means of both.
TEST(ClassObjectiveTest, AnEnergyThatAClassLacksIsNoJointOne) {
  Measured without = kSlow;
  without.energy_ratio.reset();
  const TrialOutcome outcome = OutcomeOf({{"a", kFast}, {"b", without}});
  for (const Objective kind : {Objective::kWorst, Objective::kMean}) {
    EXPECT_FALSE(JointOf({kind}, outcome)->figures.energy_ratio);
    EXPECT_EQ(JointOf({kind}, outcome)->figures.energy_ratio_uncertainty, 0.0);
  }
  EXPECT_EQ(JointOf({Objective::kOne, "a"}, outcome)->figures.energy_ratio, 0.9);
}

TEST(ClassObjectiveTest, TheMeanIsOfAllClasses) {
  const auto joint = JointOf({Objective::kMean}, OutcomeOf({{"a", kFast}, {"b", kSlow}}));
  ASSERT_TRUE(joint);
  EXPECT_NEAR(joint->figures.ratio, 0.6, 1e-12);
  EXPECT_NEAR(*joint->figures.energy_ratio, 0.65, 1e-12);
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
