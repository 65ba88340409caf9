#include "policies/transition.h"
#include "tests/policies/trial_outcome.h"

#include <gtest/gtest.h>

#include "tests/policies/small_problem.h"

namespace bitpilot {
namespace {

const Trial kTrial{1, {{4, 2}, Origin::kRandom, "test"}, {}, {}, {"a", "b", "c"}, 0};

TransitionStatus StatusOf(const TrialOutcome& outcome) {
  return ToTransition(SmallProblem(), kTrial, outcome).status;
}

// Loss: 1 - .8 + .6. Accuracy: 1 - (.5 - .4 + .3). Bytes: 77,360 less half of 2,304 and three quarters.
TEST(TransitionTest, IsTheMeanOfTheClassesOnTheAnchorsScale) {
  const Transition transition =
      ToTransition(SmallProblem(), kTrial,
                   OutcomeOf({{"a", Measured{.ratio = 0.5,
                                             .ratio_low = 0.4,
                                             .ratio_high = 0.6,
                                             .energy_ratio = 0.6,
                                             .energy_ratio_uncertainty = 0.02}},
                              {"b", Measured{.ratio = 0.7,
                                             .ratio_low = 0.6,
                                             .ratio_high = 1.0,
                                             .energy_ratio = 0.6,
                                             .energy_ratio_uncertainty = 0.02}}}));
  EXPECT_EQ(transition.choice, (Choice{4, 2}));
  EXPECT_EQ(transition.status, TransitionStatus::kMeasured);
  EXPECT_NEAR(transition.latency_ns.value(), 600.0, 1e-9);
  EXPECT_NEAR(transition.latency_low_ns, 500.0, 1e-9);
  EXPECT_NEAR(transition.latency_high_ns, 800.0, 1e-9);
  EXPECT_NEAR(transition.latency_deviation_ns, 1000.0 * 0.5 * (0.1 + 0.2) / 1.96, 1e-9);
  EXPECT_DOUBLE_EQ(transition.energy_ratio.value(), 0.6);
  EXPECT_DOUBLE_EQ(transition.energy_ratio_uncertainty, 0.02);
  EXPECT_FALSE(transition.model_energy_ratio.has_value());
  EXPECT_NEAR(transition.loss, 0.8, 1e-12);
  EXPECT_NEAR(transition.accuracy, 0.6, 1e-12);
  EXPECT_EQ(transition.weight_bytes, 77'360 - 1'152 - 1'728);
}

TEST(TransitionTest, TakesADisturbedMeasurementForTwiceAsUnsure) {
  Measured measured{.ratio = 0.5, .ratio_low = 0.48, .ratio_high = 0.52};
  EXPECT_NEAR(LatencyDeviation(measured), 0.02 / 1.96, 1e-12);
  measured.is_noisy = true;
  EXPECT_NEAR(LatencyDeviation(measured), 0.04 / 1.96, 1e-12);
  EXPECT_NEAR(EnergyDeviation(0.02), 0.02 / 1.96, 1e-12);
}

TEST(TransitionTest, SaysWhatCameOfTheTrial) {
  const ClassOutcome measured{"a", Measured{.ratio = 0.5, .ratio_low = 0.4, .ratio_high = 0.6}};
  const ClassOutcome failed{"b", CandidateFailed{}};
  const ClassOutcome unavailable{"c", BoardUnavailable{}};
  EXPECT_EQ(StatusOf(OutcomeOf({measured})), TransitionStatus::kMeasured);
  EXPECT_EQ(StatusOf(OutcomeOf({measured, unavailable})), TransitionStatus::kUnavailable);
  EXPECT_EQ(StatusOf(OutcomeOf({measured, failed, unavailable})), TransitionStatus::kFailed);
  EXPECT_EQ(StatusOf(OutcomeOf({failed, failed, unavailable})), TransitionStatus::kFailed);
  EXPECT_EQ(StatusOf(OutcomeOf({unavailable, unavailable})), TransitionStatus::kUnavailable);
  EXPECT_EQ(StatusOf(OutcomeOf({})), TransitionStatus::kUnmeasured);
  TrialOutcome diverged = OutcomeOf({measured});
  diverged.score.reset();
  EXPECT_EQ(StatusOf(diverged), TransitionStatus::kDiverged);
}

TEST(TransitionTest, HasNoLatencyUnlessMeasuredAndNoLossWhereTrainingDiverged) {
  const Transition failed =
      ToTransition(SmallProblem(), kTrial, OutcomeOf({{"a", CandidateFailed{}}}));
  EXPECT_FALSE(failed.latency_ns.has_value());
  EXPECT_EQ(failed.latency_high_ns, 0.0);
  EXPECT_NEAR(failed.loss, 0.8, 1e-12);
  TrialOutcome outcome = OutcomeOf({{"a", Measured{.ratio = 0.5, .energy_ratio = 0.4}}});
  outcome.score.reset();
  const Transition diverged = ToTransition(SmallProblem(), kTrial, outcome);
  EXPECT_FALSE(diverged.latency_ns.has_value());
  EXPECT_FALSE(diverged.energy_ratio.has_value());
  EXPECT_EQ(diverged.loss, 0.0);
}

}  // namespace
}  // namespace bitpilot
