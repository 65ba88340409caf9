#include "policies/loss_belief.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <vector>

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
  // Untrained: .3 stays, 15/16 of (.7 + .1) is missing; at 8 bits nothing is. The mean is above the
  // median by e^(deviation^2 / 2), .8 and .5; each width keeps .005 of whatever was probed.
  const double stays = std::exp(0.32);
  const double goes = std::exp(0.125);
  EXPECT_NEAR(belief.Predict(belief.Start(), {2, 8}).mean,
              stays * (0.305 + 0.005) + goes * 0.9375 * 0.8, 1e-12);
  EXPECT_NEAR(belief.Predict(belief.Start(), {8, 8}).mean, stays * 0.01, 1e-12);
  const TrainedState trained = belief.After(belief.Start(), {2, 8}, /*batches=*/10'000.0);
  EXPECT_NEAR(belief.Predict(trained, {2, 8}).mean, stays * 0.31, 1e-6);
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
  // Losses as they are with one tau of the grid.
  constexpr std::size_t kTrue = 8;
  const double tau = kAdaptationTaus[kTrue];
  const std::vector<DecisionVariable> variables = {VariableOf({2, 8}, {1.0, 0.0}),
                                                   VariableOf({2, 8}, {0.8, 0.0})};
  LossBelief belief(variables);
  EXPECT_DOUBLE_EQ(belief.TauWeights()[kTrue], 1.0 / kAdaptationTaus.size());
  TrainedState state = belief.Start();
  double batches = 0.0;
  for (int reading = 0; reading < 10; ++reading) {
    const double missing = 0.9375 * std::exp(-batches / tau);
    belief.Observe(state, {2, 2}, 0.5 + 1.4 * missing, /*loss_error=*/0.005);
    state = belief.After(state, {2, 2}, 25.0);
    batches += 25.0;
  }
  EXPECT_GT(belief.TauWeights()[kTrue], 0.7);
  EXPECT_GT(
      belief.TauWeights()[kTrue - 1] + belief.TauWeights()[kTrue] + belief.TauWeights()[kTrue + 1],
      0.99);
}

// On networks that follow the law, of which it knows neither losses nor speed. What it learns must beat
// what it knew, and what was last read at the same choice.
TEST(LossBeliefTest, CoversNineOfTenOutcomesByNinetyPercentIntervals) {
  constexpr double kNormal90 = 1.645;
  int covered = 0;
  int outcomes = 0;
  int read_before = 0;
  double error = 0.0;  // sums of squares
  double error_without_reading = 0.0;
  double error_read_before = 0.0;
  double change_read_before = 0.0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    const PlanningToy toy(seed, PlanningLaw::kAssumed);
    RandomStream random(seed, "outcomes");
    std::vector<Choice> choices(6);
    for (Choice& choice : choices) choice = RandomWidths(toy.index(), random);
    const LossBelief unread(toy.variables());
    LossBelief belief(toy.variables());
    TrainedState state = belief.Start();
    PlanningToy::Weights weights = toy.Start();
    std::map<Choice, double> last_readings;
    for (int step = 0; step < 24; ++step) {
      const Choice choice = step % 2 == 0 ? choices[static_cast<std::size_t>(random.NextIndex(6))]
                                          : RandomWidths(toy.index(), random);
      state = belief.After(state, choice, 10.0);
      weights = toy.Train(weights, choice, 10);
      const auto [loss, loss_error] = toy.Read(weights, choice);
      if (step >= 8) {  // Before it has read anything, the probe's error is what it is.
        const PredictedLoss predicted = belief.Predict(state, choice);
        const double surprise = loss - predicted.mean;
        const double spread = std::hypot(predicted.standard_deviation, loss_error);
        covered += std::abs(surprise) <= kNormal90 * spread ? 1 : 0;
        error += surprise * surprise;
        error_without_reading += std::pow(loss - unread.Predict(state, choice).mean, 2);
        ++outcomes;
        if (const auto last = last_readings.find(choice); last != last_readings.end()) {
          error_read_before += surprise * surprise;
          change_read_before += std::pow(loss - last->second, 2);
          ++read_before;
        }
      }
      belief.Observe(state, choice, loss, loss_error);
      last_readings[choice] = loss;
    }
  }
  EXPECT_GE(covered, 0.84 * outcomes) << covered << " of " << outcomes;
  EXPECT_LE(covered, 0.95 * outcomes) << covered << " of " << outcomes;
  EXPECT_LT(error, 0.2 * error_without_reading);
  ASSERT_GE(read_before, 100);
  // Readings have errors, which no prediction foretells: they are in both.
  EXPECT_LT(error_read_before, 0.5 * change_read_before);
}

}  // namespace
}  // namespace bitpilot
