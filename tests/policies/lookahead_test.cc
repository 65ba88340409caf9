#include "policies/lookahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "experiments/planning/planning_arms.h"
#include "experiments/planning/planning_toy.h"
#include "tests/policies/width_variables.h"

namespace bitpilot {
namespace {

double NegativeLowest(const std::vector<double>& losses) {
  return -*std::min_element(losses.begin(), losses.end());
}

TEST(LookaheadTest, KnowsWhatAllThatIsLeftMakesOfEachTarget) {
  const LossBelief belief({VariableOf({2, 8}, {1.0, 0.0})});
  const std::vector<Choice> targets = {{2}, {8}};
  const TrainingLeft nothing;
  EXPECT_NEAR(
      Lookahead(belief, targets, nothing, 0.01, NegativeLowest).FinalLosses(belief.Start())[0],
      belief.Predict(belief.Start(), {2}).mean, 1e-12);
  const TrainingLeft much{.search_batches = 4'000, .final_batches = 1'000};
  const std::vector<double> losses =
      Lookahead(belief, targets, much, 0.01, NegativeLowest).FinalLosses(belief.Start());
  EXPECT_NEAR(losses[0], 0.3, 1e-6);
  EXPECT_NEAR(losses[1], 0.0, 1e-6);
}

TEST(LookaheadTest, CountsMiniBatchesByTheirShareOfTheLearningRate) {
  const LossBelief belief({VariableOf({2, 8}, {1.0, 0.0})});
  const std::vector<Choice> targets = {{2}};
  const TrainingLeft whole{.search_batches = 50};
  TrainingLeft half{.search_batches = 100};
  half.counted = [](int, int count) { return 0.5 * count; };
  EXPECT_DOUBLE_EQ(
      Lookahead(belief, targets, whole, 0.01, NegativeLowest).FinalLosses(belief.Start())[0],
      Lookahead(belief, targets, half, 0.01, NegativeLowest).FinalLosses(belief.Start())[0]);
}

// Two targets that are equally good as far as is known: only a reading can tell them apart.
TEST(LookaheadTest, PaysForInformation) {
  const LossBelief belief({VariableOf({2, 4}, {0.5, 0.5})});
  const std::vector<Choice> targets = {{2}, {4}};
  const TrainingLeft left;
  const Lookahead lookahead(belief, targets, left, 0.01, NegativeLowest);
  EXPECT_GT(lookahead.Value(belief.Start(), {2}, 0), lookahead.ValueOfStopping(belief.Start()));
  const Lookahead blind(belief, targets, left, /*loss_error=*/100.0, NegativeLowest);
  EXPECT_NEAR(blind.Value(belief.Start(), {2}, 0), blind.ValueOfStopping(belief.Start()), 1e-4);
}

// What is trained at other widths is lost for the answer.
TEST(LookaheadTest, ChargesTrainingThatLeadsAway) {
  LossBelief belief({VariableOf({2, 4, 8}, {2.0, 0.5, 0.0})});
  for (int reading = 0; reading < 20; ++reading) {  // Nothing is left to learn.
    TrainedState state = belief.Start();
    for (const int width : {2, 4, 8}) {
      belief.Observe(state, {width}, belief.Predict(state, {width}).mean, 1e-3);
      state = belief.After(state, {width}, 10.0);
    }
  }
  const std::vector<Choice> targets = {{4}};
  const TrainingLeft left{.search_batches = 40, .final_batches = 0};
  const Lookahead lookahead(belief, targets, left, 0.01, NegativeLowest);
  EXPECT_GT(lookahead.Value(belief.Start(), {4}, 20), lookahead.Value(belief.Start(), {2}, 20));
}

TEST(LookaheadTest, SearchesBetterThanOneThatIgnoresTheStateAndThanSearchBeforeTraining) {
  constexpr std::uint64_t kSeeds = 40;
  double state_blind = 0.0;
  double two_stage = 0.0;
  double lookahead = 0.0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const PlanningToy toy(seed);
    const double optimum = toy.OptimalLoss();
    state_blind += StateBlindLoss(toy, seed) - optimum;
    two_stage += TwoStageLoss(toy, seed) - optimum;
    lookahead += LookaheadLoss(toy, seed) - optimum;
  }
  EXPECT_LE(lookahead, 0.7 * state_blind);
  EXPECT_LE(lookahead, two_stage);
}

}  // namespace
}  // namespace bitpilot
