#include "policies/reward.h"
#include "tests/policies/trial_outcome.h"

#include <gtest/gtest.h>

#include "tests/policies/small_problem.h"

namespace bitpilot {
namespace {

// Half of the images right after 50 mini-batches, a loss of 1.
TrialOutcome OutcomeAt(double ratio) {
  return OutcomeOf({{"a", Measured{.ratio = ratio, .ratio_low = ratio, .ratio_high = ratio}}});
}

TEST(AnchorTest, IsLinearBetweenItsReadingsAndConstantBeyondThem) {
  const Anchor anchor = SmallProblem().anchor;
  EXPECT_DOUBLE_EQ(AnchorLoss(anchor, 0.0), 1.0);
  EXPECT_DOUBLE_EQ(AnchorLoss(anchor, 25.0), 0.9);
  EXPECT_DOUBLE_EQ(AnchorLoss(anchor, 100.0), 0.6);
  EXPECT_DOUBLE_EQ(AnchorLoss(anchor, 1000.0), 0.6);
  EXPECT_DOUBLE_EQ(AnchorError(anchor, 50.0), 0.4);
  EXPECT_DOUBLE_EQ(AnchorLossError(anchor, 50.0), 0.03);
}

TEST(AnchorTest, IsItsOnlyReadingWhereNothingTrains) {
  const Anchor anchor{{{.batches = 0, .loss = 0.4, .loss_error = 0.01, .error = 0.1}}};
  EXPECT_EQ(AnchorLoss(anchor, 0.0), 0.4);
  EXPECT_EQ(AnchorLoss(anchor, 50.0), 0.4);
  EXPECT_EQ(AnchorError(anchor, 50.0), 0.1);
}

TEST(AnchorTest, ReferenceIsTheTwinsEnd) {
  const Reference reference = AnchoredReference(SmallProblem());
  EXPECT_EQ(reference.latency_ns, 1000.0);
  EXPECT_EQ(reference.loss, 0.6);
  EXPECT_EQ(reference.accuracy, 0.7);
}

// The twin has .8 and .4 after 50: .2 nats above it; .03 and .04 make an error of .05.
TEST(ExcessTest, IsTheDifferenceToTheTwinOfTheSameDepth) {
  const TrialOutcome outcome = OutcomeAt(1.0);
  const ExcessLoss excess = ExcessOf(SmallProblem().anchor, *outcome.score, 50);
  EXPECT_DOUBLE_EQ(excess.mean, 0.2);
  EXPECT_DOUBLE_EQ(excess.error, 0.05);
}

TEST(ExcessTest, HasTheErrorOfTheDifferenceWhereThatIsKnown) {
  TrialOutcome outcome = OutcomeAt(1.0);
  outcome.score->excess_error = 0.01;
  EXPECT_EQ(ExcessOf(SmallProblem().anchor, *outcome.score, 50).error, 0.01);
}

// The twin has .8 and .4, 8 bit on the same weights .9 and .48.
TEST(ChargeTest, IsOverEightBitOnTheSameWeightsButForTheTwinsShare) {
  TrialOutcome outcome = OutcomeAt(1.0);
  const Anchor anchor = SmallProblem().anchor;
  EXPECT_EQ(ChargeOf(anchor, *outcome.score, 50).mean, ExcessOf(anchor, *outcome.score, 50).mean);
  SameWeights& same = outcome.score->same_weights.emplace();
  same = {.loss = 0.9, .correct = 520, .own_share = 0.0, .charge_error = 0.02};
  // .1 and .15 of the other .1; .02 and .15 of the other .08.
  EXPECT_NEAR(ChargeOf(anchor, *outcome.score, 50).mean, 0.115, 1e-12);
  EXPECT_EQ(ChargeOf(anchor, *outcome.score, 50).error, 0.02);
  EXPECT_NEAR(AnchoredError(anchor, *outcome.score, 50), 0.032 + 0.3, 1e-12);
  EXPECT_DOUBLE_EQ(ExcessOf(anchor, *outcome.score, 50).mean, 0.2);
  same.own_share = 0.2;  // the twin for .32 of it
  EXPECT_NEAR(ChargeOf(anchor, *outcome.score, 50).mean, 0.132, 1e-12);
  EXPECT_NEAR(AnchoredError(anchor, *outcome.score, 50), 0.0456 + 0.3, 1e-12);
  same.own_share = 1.0;
  EXPECT_DOUBLE_EQ(ChargeOf(anchor, *outcome.score, 50).mean, 0.2);
}

TEST(ChargeTest, IsWhatUtilityPays) {
  const SearchProblem problem = SmallProblem();
  TrialOutcome outcome = OutcomeAt(0.5);
  outcome.score->same_weights = SameWeights{.loss = 0.9, .correct = 500};
  EXPECT_NEAR(Utility(problem, outcome, "a").value(), -0.115 - 0.5, 1e-12);
  outcome.score->same_weights->own_share = 1.0;
  EXPECT_DOUBLE_EQ(Utility(problem, outcome, "a").value(), -0.2 - 0.5);
}

// .5 - .4 + .3
// What was anchored before a search was extended stays as it was.
TEST(AnchoredErrorTest, IsGivenAtTheBudgetThatTheSearchBeganWith) {
  const Anchor before{{{0, 0.5, 0.01, 0.3}, {100, 0.4, 0.01, 0.2}}};
  Anchor extended = before;
  extended.readings.push_back({150, 0.2, 0.01, 0.1});
  extended.of_first_budget = 2;
  EXPECT_EQ(ReferenceReading(before), before.readings.back());
  EXPECT_EQ(ReferenceReading(extended), before.readings.back());
  const Scored score = {.loss = 0.45, .correct = 750, .total = 1000};
  for (const int depth : {0, 40, 100}) {
    EXPECT_EQ(AnchoredError(extended, score, depth), AnchoredError(before, score, depth));
    EXPECT_EQ(ExcessOf(extended, score, depth).mean, ExcessOf(before, score, depth).mean);
  }
  // As far above 8 bit after 150 mini-batches as it would be after 100.
  EXPECT_NEAR(AnchoredError(extended, score, 150), 0.25 - 0.1 + 0.2, 1e-12);
  EXPECT_NEAR(ExcessOf(extended, score, 150).mean, 0.45 - 0.2, 1e-12);
}

TEST(AnchoredErrorTest, AddsTheDifferenceToTheTwinsEndAndStaysAShare) {
  const Anchor anchor = SmallProblem().anchor;
  EXPECT_DOUBLE_EQ(AnchoredError(anchor, *OutcomeAt(1.0).score, 50), 0.4);
  EXPECT_EQ(AnchoredError(anchor, {.correct = 1000, .total = 1000}, 0), 0.0);
  EXPECT_DOUBLE_EQ(AnchoredError(anchor, {.correct = 0, .total = 1000}, 0), 0.8);
  EXPECT_EQ(AnchoredError({{{.error = 0.1}, {.batches = 1, .error = 0.3}}},
                          {.correct = 0, .total = 1000}, 0),
            1.0);
}

// -.2 / 1 - .7; 100 x .05^2 below an accuracy of .65; 10 x (.7 / .5 - 1) beyond a latency of .5.
TEST(UtilityTest, OfATrialEqualsTheFormulaComputedByHand) {
  SearchProblem problem = SmallProblem();
  const TrialOutcome outcome = OutcomeAt(0.7);
  EXPECT_NEAR(Utility(problem, outcome, "a").value(), -0.9, 1e-12);
  problem.budgets.min_accuracy = 0.65;
  EXPECT_NEAR(Utility(problem, outcome, "a").value(), -1.15, 1e-12);
  problem.budgets.max_latency_ratio = 0.5;
  EXPECT_NEAR(Utility(problem, outcome, "a").value(), -5.15, 1e-12);
  problem.budgets.max_latency_ratio = 0.7;
  EXPECT_NEAR(Utility(problem, outcome, "a").value(), -1.15, 1e-12);
}

TEST(UtilityTest, OfUniformEightBitTrainedAloneIsMinusOne) {
  TrialOutcome outcome = OutcomeAt(1.0);
  outcome.score = Scored{.loss = 0.8, .loss_error = 0.0, .correct = 600, .total = 1000};
  EXPECT_DOUBLE_EQ(Utility(SmallProblem(), outcome, "a").value(), -1.0);
}

// -.2 - .7 - .6; 10 x (.6 / .5 - 1) beyond the energy budget.
TEST(UtilityTest, CountsTheEnergyThatIsAnObjective) {
  SearchProblem problem = SmallProblem();
  problem.budgets.max_energy_ratio = 0.5;
  TrialOutcome outcome = OutcomeAt(0.7);
  std::get<Measured>(outcome.classes[0].result).energy_ratio = 0.6;
  EXPECT_NEAR(Utility(problem, outcome, "a").value(), -0.9, 1e-12);
  problem.energy_objective = EnergyObjective::kMeasured;
  EXPECT_NEAR(Utility(problem, outcome, "a").value(), -3.5, 1e-12);
  problem.energy_objective = EnergyObjective::kModel;
  EXPECT_FALSE(Utility(problem, outcome, "a").has_value());
}

TEST(UtilityTest, IsNoNumberWithoutAMeasurementAndAScore) {
  const SearchProblem problem = SmallProblem();
  TrialOutcome outcome = OutcomeAt(0.7);
  EXPECT_FALSE(Utility(problem, outcome, "b").has_value());
  outcome.score.reset();
  EXPECT_FALSE(Utility(problem, outcome, "a").has_value());
  EXPECT_FALSE(JointUtility(problem, outcome).has_value());
}

TEST(JointUtilityTest, IsOverAllClasses) {
  const SearchProblem problem = SmallProblem();
  TrialOutcome outcome = OutcomeAt(0.7);
  outcome.classes.push_back({"b", Measured{.ratio = 0.9}});
  EXPECT_NEAR(JointUtility(problem, outcome).value(), -1.0, 1e-12);  // of -.9 and -1.1
  const TrialOutcome measured = outcome;
  outcome.classes.push_back({"c", BoardUnavailable{}});
  EXPECT_FALSE(JointUtility(problem, outcome));
  outcome = measured;
  outcome.classes.push_back({"c", CandidateFailed{}});
  EXPECT_FALSE(JointUtility(problem, outcome));
}

}  // namespace
}  // namespace bitpilot
