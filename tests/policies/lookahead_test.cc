#include "policies/lookahead.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
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
  const SearchLeft nothing;
  EXPECT_NEAR(Lookahead(belief, belief.Start(), targets, nothing, 0.01, NegativeLowest)
                  .FinalLosses(belief.Start())[0],
              belief.Predict(belief.Start(), {2}).mean, 1e-12);
  const SearchLeft much{.search_batches = 4'000, .final_batches = 1'000};
  const std::vector<double> losses =
      Lookahead(belief, belief.Start(), targets, much, 0.01, NegativeLowest)
          .FinalLosses(belief.Start());
  // What stays: of 2 bits .3 of the probed loss, and .01 of either; the mean is above the median.
  EXPECT_NEAR(losses[0], std::exp(0.32) * 0.31, 1e-6);
  EXPECT_NEAR(losses[1], std::exp(0.32) * 0.01, 1e-6);
}

// Weights that trained at 2 bits are no start for 8, but uniform 8 bit's are; for 2 bits they are the better
// one.
TEST(LookaheadTest, MayEndFromTheTwinsWeights) {
  const LossBelief belief({VariableOf({2, 8}, {1.0, 0.0})});
  const std::vector<Choice> targets = {{2}, {8}};
  const TrainedState at_2_bits = belief.After(belief.Start(), {2}, 200.0);
  SearchLeft left{.final_batches = 20};
  const std::vector<double> without =
      Lookahead(belief, at_2_bits, targets, left, 0.01, NegativeLowest).FinalLosses(at_2_bits);
  const std::vector<double> from_twin =
      Lookahead(belief, belief.Start(), targets, left, 0.01, NegativeLowest)
          .FinalLosses(belief.Start());
  left.twin = belief.Start();
  const std::vector<double> with =
      Lookahead(belief, at_2_bits, targets, left, 0.01, NegativeLowest).FinalLosses(at_2_bits);
  EXPECT_LT(from_twin[1], 0.9 * without[1]);
  EXPECT_NEAR(with[1], from_twin[1], 1e-12);
  EXPECT_LT(without[0], 0.9 * from_twin[0]);
  EXPECT_NEAR(with[0], without[0], 1e-12);
}

TEST(LookaheadTest, CountsMiniBatchesByTheirShareOfTheLearningRate) {
  const LossBelief belief({VariableOf({2, 8}, {1.0, 0.0})});
  const std::vector<Choice> targets = {{2}};
  const SearchLeft whole{.search_batches = 50};
  SearchLeft half{.search_batches = 100};
  half.counted = [](int, int count) { return 0.5 * count; };
  EXPECT_DOUBLE_EQ(Lookahead(belief, belief.Start(), targets, whole, 0.01, NegativeLowest)
                       .FinalLosses(belief.Start())[0],
                   Lookahead(belief, belief.Start(), targets, half, 0.01, NegativeLowest)
                       .FinalLosses(belief.Start())[0]);
}

// Two targets that are equally good as far as is known: only a reading can tell them apart.
TEST(LookaheadTest, PaysForInformation) {
  const DecisionVariable variable = VariableOf({2, 8}, {0.5, 0.0});
  const LossBelief belief({variable, variable});
  const std::vector<Choice> targets = {{2, 8}, {8, 2}};
  const SearchLeft left{.readings = 1};
  const Lookahead lookahead(belief, belief.Start(), targets, left, 0.01, NegativeLowest);
  EXPECT_GT(lookahead.Value(belief.Start(), {2, 8}, 0),
            lookahead.ValueOfStopping(belief.Start()) + 0.01);
  const Lookahead blind(belief, belief.Start(), targets, left, /*loss_error=*/100.0,
                        NegativeLowest);
  EXPECT_NEAR(blind.Value(belief.Start(), {2, 8}, 0), blind.ValueOfStopping(belief.Start()), 1e-3);
}

// Fast weights would end best at one target, slow ones at another: that is not known after a step that
// teaches nothing, which is worth what stopping is.
TEST(LookaheadTest, GivesNothingForWhatAStepDoesNotTeach) {
  const LossBelief belief({VariableOf({2, 4}, {0.6, 0.9})});
  const std::vector<Choice> targets = {{2}, {4}};
  const SearchLeft left{.readings = 1, .search_batches = 0, .final_batches = 30};
  const auto sharp = [](const std::vector<double>& losses) {  // convex
    double sum = 0.0;
    for (const double loss : losses) sum += 100.0 * loss * loss;
    return sum;
  };
  const TrainedState state = belief.Start();
  const Lookahead blind(belief, belief.Start(), targets, left, /*loss_error=*/1e6, sharp);
  EXPECT_NEAR(blind.Value(state, {2}, 0), blind.ValueOfStopping(state), 1e-6);
  // The taus disagree: the same utility of each one's own losses would be more.
  const std::vector<double> mean = blind.FinalLosses(state);
  double mixed = 0.0;
  for (std::size_t tau = 0; tau < kAdaptationTaus.size(); ++tau) {
    std::vector<double> losses;
    for (const Choice& target : targets) {
      losses.push_back(belief.Given(tau).Mean(belief.Features(
          state[tau].After(target, left.final_batches, kAdaptationTaus[tau]), target)));
    }
    mixed += belief.TauWeights()[tau] * sharp(losses);
  }
  EXPECT_GT(mixed, sharp(mean) + 0.1);
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
  const SearchLeft left{.readings = 1, .search_batches = 40, .final_batches = 0};
  const Lookahead lookahead(belief, belief.Start(), targets, left, 0.01, NegativeLowest);
  EXPECT_GT(lookahead.Value(belief.Start(), {4}, 20), lookahead.Value(belief.Start(), {2}, 20));
}

// Two readings tell more than one, and a reading tells nothing twice: three networks on the same weights
// have three.
TEST(LookaheadTest, CountsOnTheReadingsThatAreLeft) {
  const DecisionVariable variable = VariableOf({2, 8}, {0.5, 0.0});
  const LossBelief belief({variable, variable, variable});
  const std::vector<Choice> targets = {{2, 8, 8}, {8, 2, 8}, {8, 8, 2}};
  const auto value = [&](int readings) {
    const SearchLeft left{.readings = readings};
    return Lookahead(belief, belief.Start(), targets, left, 0.05, NegativeLowest)
        .Value(belief.Start(), {2, 8, 8}, 0);
  };
  EXPECT_GT(value(2), value(1) + 1e-4);
  EXPECT_GT(value(3), value(2) + 1e-4);
  EXPECT_DOUBLE_EQ(value(12), value(3));
}

// On the same weights. Once they have trained, the same widths read something else.
TEST(LookaheadTest, CountsOnNothingThatWasRead) {
  const DecisionVariable variable = VariableOf({2, 8}, {0.5, 0.0});
  const LossBelief belief({variable, variable});
  const std::vector<Choice> targets = {{2, 8}, {8, 2}};
  const SearchLeft left{.readings = 6, .search_batches = 10};
  const TrainedState state = belief.Start();
  const Lookahead lookahead(belief, state, targets, left, 0.01, NegativeLowest);
  const std::set<Choice> all(targets.begin(), targets.end());
  EXPECT_NEAR(lookahead.Value(state, {2, 8}, 0, all), lookahead.ValueOfStopping(state), 1e-12);
  EXPECT_GT(lookahead.Value(state, {2, 8}, 0, {{2, 8}}), lookahead.ValueOfStopping(state) + 0.01);
  EXPECT_LT(lookahead.Value(state, {2, 8}, 0, {{2, 8}}), lookahead.Value(state, {2, 8}, 0));
  const TrainedState trained = belief.After(state, {2, 8}, 10);
  const SearchLeft rest{.readings = 6, .search_batches = 0};
  EXPECT_GT(lookahead.Value(state, {2, 8}, 10, all),
            Lookahead(belief, state, targets, rest, 0.01, NegativeLowest).ValueOfStopping(trained) +
                0.01);
}

// What stays of a loss and what goes look alike before training: a plan that trains first, and reads then,
// is worth more than all readings before, where there is enough left to train the answer, too.
TEST(LookaheadTest, TrainsToTellWhatStays) {
  const DecisionVariable variable = VariableOf({2, 8}, {0.5, 0.0});
  const LossBelief belief({variable, variable});
  const std::vector<Choice> targets = {{2, 8}, {8, 2}};
  const SearchLeft left{.readings = 8, .search_batches = 5'000};
  const TrainedState state = belief.Start();
  const Lookahead lookahead(belief, state, targets, left, 0.01, NegativeLowest);
  const double reading = Lookahead::Expect(lookahead.OutlookOfReading(state), NegativeLowest);
  EXPECT_GT(reading, lookahead.ValueOfStopping(state) + 0.005);
  EXPECT_GT(lookahead.Value(state, {2, 8}, 1'000), reading + 0.005);
  // Everything is lost that trains elsewhere: no plan that does is worth more.
  const SearchLeft scarce{.readings = 8, .search_batches = 10};
  const Lookahead poor(belief, state, targets, scarce, 0.01, NegativeLowest);
  EXPECT_LT(poor.Value(state, {2, 8}, 10),
            Lookahead::Expect(poor.OutlookOfReading(state), NegativeLowest) + 1e-3);
}

// The one that tells most, of those that were not read on these weights.
TEST(LookaheadTest, SaysWhatToReadFirst) {
  const DecisionVariable variable = VariableOf({2, 8}, {0.5, 0.0});
  const LossBelief belief({variable, variable, variable});
  const std::vector<Choice> targets = {{2, 8, 8}, {8, 2, 8}, {8, 8, 2}};
  const SearchLeft left{.readings = 6, .search_batches = 40};
  const TrainedState state = belief.Start();
  const Lookahead lookahead(belief, state, targets, left, 0.01, NegativeLowest);
  const Outlook reading = lookahead.OutlookOfReading(state, {targets[0], targets[2]});
  EXPECT_EQ(reading.read_first, targets[1]);
  const std::set<Choice> all(targets.begin(), targets.end());
  EXPECT_FALSE(lookahead.OutlookOfReading(state, all).read_first.has_value());
  EXPECT_FALSE(lookahead.OutlookOf(state, targets[0], 40, all).read_first.has_value());
}

TEST(LookaheadTest, ProbesWhatTrainedAtOneVariableAtATime) {
  const WidthIndex index({VariableOf({2, 4, 8}), VariableOf({2, 4, 8}), VariableOf({2, 4, 8})});
  const std::vector<Choice> targets = {{2, 4, 8}, {4, 4, 2}};
  EXPECT_EQ(NarrowestOf(targets), (Choice{2, 4, 2}));
  // The second variable is the same in all: what it loses decides nothing.
  EXPECT_EQ(ProbesOf({2, 4, 2}, targets, index), (std::vector<Choice>{{8, 4, 2}}));
  EXPECT_EQ(ProbesOf({8, 4, 8}, targets, index), std::vector<Choice>{});
}

// On some of the seeds that its margins were chosen on, 1 to 40. Eight toys do not tell it from two-stage:
// experiments/planning compares them on 40 others.
TEST(LookaheadTest, SearchesBetterThanWithoutReadingsOrState) {
  constexpr std::uint64_t kTuningSeeds = 8;
  double no_reading = 0.0;
  double state_blind = 0.0;
  double lookahead = 0.0;
  for (std::uint64_t seed = 1; seed <= kTuningSeeds; ++seed) {
    const PlanningToy toy(seed, PlanningLaw::kAssumed);
    const double optimum = toy.OptimalLoss();
    no_reading += NoReadingLoss(toy, seed) - optimum;
    state_blind += StateBlindLoss(toy, seed) - optimum;
    lookahead += LookaheadLoss(toy, seed) - optimum;
  }
  EXPECT_LE(lookahead, 0.9 * no_reading);
  EXPECT_LE(lookahead, 0.7 * state_blind);
}

// Distances of the readings of 400 toys, of all variables at `width` on weights that trained there, from the
// loss, in errors as the readings tell them: root mean square. errors: what they tell.
double DistanceInErrors(PlanningLaw law, int width, std::vector<double>* errors) {
  double squares = 0.0;
  constexpr int kReadings = 400;
  for (std::uint64_t seed = 1; seed <= kReadings; ++seed) {
    const PlanningToy toy(seed, law);
    const Choice choice(toy.variables().size(), width);
    const PlanningToy::Weights weights = toy.Train(toy.Start(), choice, 10);
    const PlanningToy::Reading read = toy.Read(weights, choice);
    EXPECT_EQ(read.excess, toy.Read(toy.Train(toy.Start(), choice, 10), choice).excess);
    EXPECT_NE(read.excess - toy.Loss(weights, choice),
              toy.Read(toy.Start(), choice).excess - toy.Loss(toy.Start(), choice));
    const double distance = (read.excess - toy.Loss(weights, choice)) / read.error;
    squares += distance * distance;
    errors->push_back(read.error);
  }
  return std::sqrt(squares / kReadings);
}

TEST(PlanningToyTest, ReadsTheSameAgainAndWithAnErrorOfTheSizeThatItSays) {
  std::vector<double> errors;
  EXPECT_NEAR(DistanceInErrors(PlanningLaw::kAssumed, 4, &errors), 1.0, 0.1);
  EXPECT_NEAR(DistanceInErrors(PlanningLaw::kOther, 4, &errors), 1.0, 0.1);
}

TEST(PlanningToyTest, ReadsNarrowWidthsWithLargerErrorsWhereTheLawHolds) {
  std::vector<double> narrow;
  std::vector<double> wide;
  DistanceInErrors(PlanningLaw::kAssumed, 2, &narrow);
  DistanceInErrors(PlanningLaw::kAssumed, 4, &wide);
  for (std::size_t i = 0; i < narrow.size(); ++i) EXPECT_GT(narrow[i], wide[i]);
  std::vector<double> other;
  DistanceInErrors(PlanningLaw::kOther, 2, &other);
  EXPECT_EQ(other.front(), other.back());
}

TEST(PlanningToyTest, HasSixBitsForEveryOtherVariableInOneOfItsLaws) {
  const PlanningToy toy(1, PlanningLaw::kSixBits);
  const std::vector<DecisionVariable>& variables = toy.variables();
  EXPECT_EQ(variables[0].widths, (std::vector<int>{2, 4, 8}));
  EXPECT_EQ(variables[1].widths, (std::vector<int>{4, 6, 8}));
  EXPECT_EQ(variables[1].sensitivity[1], variables[1].sensitivity[0] / 16.0);
  // At the start weights are nearly adapted to 6 bits: training there gains far less than at 4.
  const auto gain = [&toy](int width) {
    const Choice choice = {8, width, 8, 8, 8, 8, 8, 8};
    return toy.Loss(toy.Start(), choice) - toy.Loss(toy.Train(toy.Start(), choice, 1000), choice);
  };
  EXPECT_GT(gain(6), 0.0);
  EXPECT_LT(gain(6), 0.1 * gain(4));
}

}  // namespace
}  // namespace bitpilot
