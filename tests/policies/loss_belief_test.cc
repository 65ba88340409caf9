#include "policies/loss_belief.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

#include "experiments/planning/planning_toy.h"
#include "policies/random_stream.h"
#include "tests/policies/width_variables.h"

namespace bitpilot {
namespace {

Choice RandomWidths(const WidthIndex& index, RandomStream& random) {
  Choice choice;
  for (int i = 0; i < index.num_variables(); ++i) {
    const std::vector<int>& widths = index.widths(i);
    choice.push_back(
        widths[static_cast<std::size_t>(random.NextIndex(static_cast<int>(widths.size())))]);
  }
  return choice;
}

TEST(LossBeliefTest, StartsFromTheProbe) {
  const LossBelief belief({VariableOf({2, 8}, {1.0, 0.0}), VariableOf({2, 8}, {0.2, 0.0})});
  // Untrained: .3 stays, .75 of (.7 + .1) is missing; at 8 bits nothing is.
  EXPECT_NEAR(belief.Predict(belief.Start(), {2, 8}).mean, 0.3 + 0.75 * 0.8, 1e-12);
  EXPECT_NEAR(belief.Predict(belief.Start(), {8, 8}).mean, 0.0, 1e-12);
  const TrainedState trained = belief.After(belief.Start(), {2, 8}, /*batches=*/5'000.0);
  EXPECT_NEAR(belief.Predict(trained, {2, 8}).mean, 0.3, 1e-6);
}

TEST(LossBeliefTest, TakesWhatIsReadOverWhatWasProbed) {
  LossBelief belief({VariableOf({2, 8}, {1.0, 0.0})});
  const PredictedLoss before = belief.Predict(belief.Start(), {2});
  belief.Observe(belief.Start(), {2}, /*excess_loss=*/0.2, /*loss_error=*/0.01);
  const PredictedLoss after = belief.Predict(belief.Start(), {2});
  EXPECT_NEAR(after.mean, 0.2, 0.01);
  EXPECT_LT(after.standard_deviation, 0.1 * before.standard_deviation);
}

TEST(LossBeliefTest, BelievesAnUncertainReadingLess) {
  const auto predicted = [](double loss_error) {
    LossBelief belief({VariableOf({2, 8}, {1.0, 0.0})});
    belief.Observe(belief.Start(), {2}, 0.2, loss_error);
    return belief.Predict(belief.Start(), {2}).mean;
  };
  EXPECT_LT(predicted(0.01), predicted(0.3));
  EXPECT_LT(predicted(0.3), predicted(3.0));
}

TEST(LossBeliefTest, LearnsHowFastWeightsAdapt) {
  // Losses as they are with tau = 100: the slowest but one of the grid.
  const std::vector<DecisionVariable> variables = {VariableOf({2, 8}, {1.0, 0.0}),
                                                   VariableOf({2, 8}, {0.8, 0.0})};
  LossBelief belief(variables);
  EXPECT_DOUBLE_EQ(belief.TauWeights()[3], 0.2);
  TrainedState state = belief.Start();
  double batches = 0.0;
  for (int reading = 0; reading < 8; ++reading) {
    const double missing = 0.75 * std::exp(-batches / 100.0);
    belief.Observe(state, {2, 2}, 0.5 + 1.4 * missing, /*loss_error=*/0.01);
    state = belief.After(state, {2, 2}, 25.0);
    batches += 25.0;
  }
  EXPECT_GT(belief.TauWeights()[3], 0.9);
}

// On networks that follow the law, of which it knows neither losses nor speed.
TEST(LossBeliefTest, CoversNineOfTenOutcomesByNinetyPercentIntervals) {
  constexpr double kNormal90 = 1.645;
  int covered = 0;
  int outcomes = 0;
  double squared_error = 0.0;
  double squared_change = 0.0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const PlanningToy toy(seed);
    RandomStream random(seed, "outcomes");
    LossBelief belief(toy.variables());
    TrainedState state = belief.Start();
    PlanningToy::Weights weights = toy.Start();
    double last_loss = 0.0;
    for (int step = 0; step < 24; ++step) {
      const Choice choice = RandomWidths(toy.index(), random);
      state = belief.After(state, choice, 10.0);
      weights = toy.Train(weights, choice, 10);
      const double loss = toy.Loss(weights, choice) + 0.012 * random.NextNormal();
      if (step >= 8) {  // Before it has read anything, the probe's error is what it is.
        const PredictedLoss predicted = belief.Predict(state, choice);
        const double spread =
            std::sqrt(predicted.standard_deviation * predicted.standard_deviation + 0.012 * 0.012);
        covered += std::abs(loss - predicted.mean) <= kNormal90 * spread ? 1 : 0;
        squared_error += (loss - predicted.mean) * (loss - predicted.mean);
        squared_change += (loss - last_loss) * (loss - last_loss);
        ++outcomes;
      }
      belief.Observe(state, choice, loss, 0.012);
      last_loss = loss;
    }
  }
  EXPECT_GE(covered, 0.80 * outcomes) << covered << " of " << outcomes;
  EXPECT_LE(covered, 0.97 * outcomes) << covered << " of " << outcomes;
  EXPECT_LT(squared_error, 0.25 * squared_change);
}

}  // namespace
}  // namespace bitpilot
