#include "policies/surrogate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "policies/acquisition.h"
#include "policies/incumbent.h"
#include "policies/moves.h"
#include "tests/policies/one_by_one.h"
#include "tests/policies/random_choice.h"
#include "tests/policies/synthetic_environment.h"

namespace bitpilot {
namespace {

Objectives Predict(const World& world, const CostModel& cost, const Choice& choice) {
  return world.Predict(choice, cost.OperationLatencyRatios(choice),
                       cost.OperationEnergyRatios(choice));
}

TEST(ErrorLinkTest, GoesFromTheReferenceToGuessingAndBack) {
  const ErrorLink link{.reference = 0.1, .ceiling = 0.8, .rate = 0.5};
  EXPECT_DOUBLE_EQ(link.ErrorRate(0.0), 0.1);
  EXPECT_NEAR(link.ErrorRate(1000.0), 0.9, 1e-12);
  // 0.1 + 0.8 x (1 - 1/2) at rate x loss = ln 2.
  EXPECT_NEAR(link.ErrorRate(2.0 * std::log(2.0)), 0.5, 1e-15);
  EXPECT_NEAR(link.LossIncrease(0.5), 2.0 * std::log(2.0), 1e-14);
  EXPECT_TRUE(std::isfinite(link.LossIncrease(1.0)));
  EXPECT_TRUE(std::isfinite(link.LossIncrease(0.0)));
}

TEST(SurrogateTest, StartsAtTheProbesAndTheTable) {
  const SyntheticEnvironment environment({});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  const World world = Surrogate(problem, cost, {}).MeanWorld();
  EXPECT_DOUBLE_EQ(world.LossIncrease(UniformChoice(problem, 8)), 0.0);
  double expected = 0.0;
  for (const DecisionVariable& variable : problem.variables) {
    expected += variable.sensitivity[2];  // width 4
  }
  const Choice four = UniformChoice(problem, 4);
  EXPECT_NEAR(world.LossIncrease(four), expected, 1e-12);
  EXPECT_NEAR(Predict(world, cost, four).latency_ratio, cost.LatencyRatio(four), 1e-12);
}

// Mean absolute error of predictions for choices that were not seen: halved, at least, by 60
// measurements.
TEST(SurrogateTest, LearnsLossesAndLatenciesFromMeasurements) {
  SyntheticEnvironment environment(
      {.max_measurements = 100, .probe_log_sigma = 0.8, .table_log_sigma = 0.15});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  RandomStream random(1, "learning");
  OneByOne boards(environment);
  std::vector<Transition> seen;
  for (int i = 0; i < 60; ++i) {
    seen.push_back(boards.Try(RandomChoice(problem, random)));
  }
  const World before = Surrogate(problem, cost, {}).MeanWorld();
  const World after = Surrogate(problem, cost, seen).MeanWorld();
  double error_before[2] = {};
  double error_after[2] = {};
  for (int i = 0; i < 40; ++i) {
    const Transition truth = boards.Try(RandomChoice(problem, random));
    const Objectives actual = MeasuredObjectives(problem, truth);
    const Objectives prior = Predict(before, cost, truth.choice);
    const Objectives learned = Predict(after, cost, truth.choice);
    error_before[0] += std::abs(prior.error_rate - actual.error_rate);
    error_before[1] += std::abs(prior.latency_ratio - actual.latency_ratio);
    error_after[0] += std::abs(learned.error_rate - actual.error_rate);
    error_after[1] += std::abs(learned.latency_ratio - actual.latency_ratio);
  }
  EXPECT_LT(error_after[0], 0.5 * error_before[0]);
  EXPECT_LT(error_after[1], 0.5 * error_before[1]);
}

// Energy is taken to follow the table's times until measurements say otherwise.
TEST(SurrogateTest, LearnsEnergiesFromMeasurements) {
  SyntheticEnvironment environment({.max_measurements = 100, .energy = EnergyObjective::kMeasured});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  RandomStream random(1, "learning");
  OneByOne boards(environment);
  std::vector<Transition> seen;
  for (int i = 0; i < 60; ++i) {
    seen.push_back(boards.Try(RandomChoice(problem, random)));
  }
  const World before = Surrogate(problem, cost, {}).MeanWorld();
  const World after = Surrogate(problem, cost, seen).MeanWorld();
  EXPECT_NEAR(Predict(before, cost, UniformChoice(problem, 4)).energy_ratio,
              cost.LatencyRatio(UniformChoice(problem, 4)), 1e-12);
  double error_before = 0.0;
  double error_after = 0.0;
  for (int i = 0; i < 40; ++i) {
    const Transition truth = boards.Try(RandomChoice(problem, random));
    error_before +=
        std::abs(Predict(before, cost, truth.choice).energy_ratio - *truth.energy_ratio);
    error_after += std::abs(Predict(after, cost, truth.choice).energy_ratio - *truth.energy_ratio);
  }
  EXPECT_LT(error_after, 0.5 * error_before);
}

// A measurement by which 4 bits cost less than the table says, by a factor of .8.
Transition CheaperAtFourBits(const SearchProblem& problem, const CostModel& cost) {
  const Choice four = UniformChoice(problem, 4);
  const double ratio = 0.8 * cost.LatencyRatio(four);
  return {.choice = four,
          .status = TransitionStatus::kMeasured,
          .latency_ns = ratio * problem.uniform8.latency_ns,
          .energy_ratio = ratio,
          .loss = 0.5,
          .accuracy = 0.85};
}

TEST(SurrogateTest, BelievesWideMeasurementsLess) {
  const SyntheticEnvironment environment({.energy = EnergyObjective::kMeasured});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  const auto learned = [&](double relative_deviation) {
    Transition transition = CheaperAtFourBits(problem, cost);
    transition.latency_deviation_ns = relative_deviation * *transition.latency_ns;
    transition.energy_ratio_uncertainty = 1.96 * relative_deviation * *transition.energy_ratio;
    return Predict(Surrogate(problem, cost, {transition}).MeanWorld(), cost, transition.choice);
  };
  // Below what an additive model cannot say, the interval does not matter.
  EXPECT_DOUBLE_EQ(learned(0.001).latency_ratio, learned(0.0).latency_ratio);
  EXPECT_DOUBLE_EQ(learned(0.001).energy_ratio, learned(0.0).energy_ratio);
  EXPECT_LT(learned(0.0).latency_ratio + 0.01, learned(0.1).latency_ratio);
  EXPECT_LT(learned(0.1).latency_ratio + 0.01, learned(1.0).latency_ratio);
  EXPECT_LT(learned(0.0).energy_ratio + 0.01, learned(0.1).energy_ratio);
  EXPECT_LT(learned(0.1).energy_ratio + 0.01, learned(1.0).energy_ratio);
}

TEST(SurrogateTest, BelievesLossesOfFewImagesLess) {
  const SyntheticEnvironment environment({});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  const Choice four = UniformChoice(problem, 4);
  const double expected = Surrogate(problem, cost, {}).MeanWorld().LossIncrease(four);
  const auto surprise = [&](double deviation) {
    Transition transition = CheaperAtFourBits(problem, cost);
    transition.loss_deviation = deviation;
    return std::abs(Surrogate(problem, cost, {transition}).MeanWorld().LossIncrease(four) -
                    expected);
  };
  ASSERT_GT(surprise(0.0), 0.01);
  EXPECT_LT(surprise(0.1), 0.95 * surprise(0.0));
  EXPECT_LT(surprise(1.0), 0.5 * surprise(0.1));
}

TEST(SurrogateTest, CountsAMeasurementThatIsRepeatedOnce) {
  const SyntheticEnvironment environment({.energy = EnergyObjective::kMeasured});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  Transition transition = CheaperAtFourBits(problem, cost);
  transition.latency_deviation_ns = 0.1 * *transition.latency_ns;
  transition.energy_ratio_uncertainty = 0.1;
  const Choice other = UniformChoice(problem, 5);
  const auto predicted = [&](int times) {
    const std::vector<Transition> history(static_cast<std::size_t>(times), transition);
    return Predict(Surrogate(problem, cost, history).MeanWorld(), cost, other);
  };
  EXPECT_DOUBLE_EQ(predicted(5).latency_ratio, predicted(1).latency_ratio);
  EXPECT_DOUBLE_EQ(predicted(5).energy_ratio, predicted(1).energy_ratio);
}

TEST(SurrogateTest, SurvivesCollapsedAndUnmeasuredTransitions) {
  const SyntheticEnvironment environment({});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  std::vector<Transition> history(3);
  history[0] = {.choice = UniformChoice(problem, 2), .loss = 1e6, .accuracy = 0.0};
  history[1] = {.choice = UniformChoice(problem, 2), .loss = -1e6, .accuracy = 1.0};
  history[2] = {.choice = UniformChoice(problem, 8), .loss = 0.4, .accuracy = 0.87};
  const Surrogate surrogate(problem, cost, history);
  RandomStream random(1, "collapsed");
  for (int i = 0; i < 20; ++i) {
    const World world = surrogate.SampleWorld(random);
    const Objectives outcome = Predict(world, cost, UniformChoice(problem, 3));
    EXPECT_TRUE(std::isfinite(outcome.error_rate));
    EXPECT_TRUE(std::isfinite(outcome.latency_ratio));
    EXPECT_GT(outcome.latency_ratio, 0.0);
  }
}

ObservedFront FrontOf(const SearchProblem& problem, const std::vector<Transition>& history) {
  ObservedFront front(problem);
  front.Take(history);
  return front;
}

// What neighbours of good choices would add must be what the volume says with the point added.
void ExpectAddedVolume(const SearchProblem& problem, const std::vector<Transition>& history,
                       double (*volume)(std::span<const Objectives>, const Objectives&)) {
  const CostModel cost = CostModel::Create(problem).value();
  RandomStream random(1, "acquisition");
  std::vector<Objectives> points;
  for (const Transition& transition : history) {
    if (HasObjectives(problem, transition)) {
      points.push_back(MeasuredObjectives(problem, transition));
    }
  }
  const World world = Surrogate(problem, cost, history).MeanWorld();
  const Acquisition acquisition(problem, cost, FrontOf(problem, history), {world});
  int improving = 0;
  for (int i = 0; i < 300; ++i) {
    Choice choice = UniformChoice(problem, 4 + random.NextIndex(4));
    choice = NeighbourMove(problem, choice, random);
    std::vector<Objectives> more = points;
    more.push_back(Predict(world, cost, choice));
    const double expected =
        volume(more, kHypervolumeReference) - volume(points, kHypervolumeReference);
    EXPECT_NEAR(acquisition.ExpectedImprovement(choice), expected, 1e-14);
    improving += expected > 1e-6 ? 1 : 0;
  }
  EXPECT_GT(improving, 10);
}

TEST(AcquisitionTest, EqualsTheDifferenceOfHypervolumes) {
  SyntheticEnvironment environment({});
  std::vector<Choice> choices;
  for (const int bits : {8, 6, 5, 4, 3, 2}) {
    choices.push_back(UniformChoice(environment.problem(), bits));
  }
  ExpectAddedVolume(environment.problem(), OneByOne(environment).TryAll(choices), Hypervolume);
}

TEST(AcquisitionTest, EqualsTheDifferenceOfVolumesWithEnergy) {
  SyntheticEnvironment environment({.energy = EnergyObjective::kMeasured});
  RandomStream random(1, "choices");
  std::vector<Choice> choices;
  for (int i = 0; i < 12; ++i) {
    choices.push_back(i < 7 ? UniformChoice(environment.problem(), 8 - i)
                            : RandomChoice(environment.problem(), random));
  }
  std::vector<Transition> history = OneByOne(environment).TryAll(choices);
  // A transition whose energy could not be measured takes no part.
  history.push_back(history.front());
  history.back().accuracy = 1.0;
  history.back().energy_ratio = std::nullopt;
  ExpectAddedVolume(environment.problem(), history, EnergyHypervolume);
}

// The worst that all measurements can do to a decision is the front.
TEST(AcquisitionTest, ReadsAFrontThatDoesNotGrowWithTheHistory) {
  SyntheticEnvironment environment({.energy = EnergyObjective::kMeasured});
  const SearchProblem& problem = environment.problem();
  Transition transition = OneByOne(environment).Try(UniformChoice(problem, 4));
  RandomStream random(1, "history");
  std::vector<Transition> history;
  ObservedFront front(problem);
  double fastest = *transition.latency_ns;
  for (int i = 0; i < 5000; ++i) {
    Transition other = transition;
    other.accuracy = 0.01 * random.NextIndex(90);
    *other.latency_ns *= 1.0 + 0.1 * random.NextIndex(20);
    *other.energy_ratio *= 1.0 + 0.1 * random.NextIndex(5);
    fastest = std::min(fastest, *other.latency_ns);
    history.push_back(std::move(other));
    front.Take(history);
  }
  EXPECT_LE(front.front().points().size(), 100U);
  EXPECT_EQ(front.fastest(), fastest / problem.uniform8.latency_ns);
}

TEST(AcquisitionTest, GivesNothingForWhatBreaksTheEnergyBudget) {
  SyntheticEnvironment environment(
      {.budgets = {.max_energy_ratio = 0.5}, .energy = EnergyObjective::kMeasured});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  const World world = Surrogate(problem, cost, {}).MeanWorld();
  const Acquisition acquisition(problem, cost, ObservedFront(problem), {world});
  EXPECT_EQ(acquisition.ExpectedImprovement(UniformChoice(problem, 8)), 0.0);
}

TEST(AcquisitionTest, GivesNothingForWhatBreaksABudget) {
  SyntheticEnvironment environment({.budgets = {.max_latency_ratio = 0.5, .min_accuracy = 0.5}});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  const World world = Surrogate(problem, cost, {}).MeanWorld();
  const Acquisition acquisition(problem, cost, ObservedFront(problem), {world});
  EXPECT_EQ(acquisition.ExpectedImprovement(UniformChoice(problem, 8)), 0.0);
  EXPECT_TRUE(acquisition.front().empty());
}

// All that was measured misses the budgets: a faster choice and a better one must still count for
// something.
TEST(AcquisitionTest, StillPrefersFasterAndBetterWhereNothingKeptTheBudgetsYet) {
  SyntheticEnvironment environment({.budgets = {.max_latency_ratio = 0.1}});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  const std::vector<Transition> history = {OneByOne(environment).Try(UniformChoice(problem, 8))};
  const World world = Surrogate(problem, cost, history).MeanWorld();
  const Acquisition acquisition(problem, cost, FrontOf(problem, history), {world});
  EXPECT_GT(acquisition.ExpectedImprovement(UniformChoice(problem, 4)), 0.0);
  EXPECT_EQ(acquisition.ExpectedImprovement(UniformChoice(problem, 8)), 0.0);
}

TEST(NeighbourMoveTest, MovesOneToThreeVariablesByOneWidth) {
  const SyntheticEnvironment environment({.widths = {2, 4, 8}});
  const SearchProblem& problem = environment.problem();
  RandomStream random(1, "moves");
  std::array<int, 4> moves{};  // by how many variables changed; two moves of one may cancel
  for (int i = 0; i < 500; ++i) {
    const bool from_widest = i % 2 == 0;
    const Choice choice = UniformChoice(problem, from_widest ? 8 : 4);
    const Choice moved = NeighbourMove(problem, choice, random);
    std::size_t changed = 0;
    int to_two = 0;
    for (std::size_t v = 0; v < choice.size(); ++v) {
      changed += moved[v] != choice[v] ? 1 : 0;
      to_two += moved[v] == 2 ? 1 : 0;
    }
    ASSERT_LE(changed, 3U);
    ++moves[changed];
    // Three moves of three variables take each to its neighbour.
    EXPECT_FALSE(from_widest && changed == 3 && to_two > 0);
  }
  for (const std::size_t changed : {1U, 2U, 3U}) EXPECT_GT(moves[changed], 50) << changed;
}

TEST(BestChoiceTest, CannotBeImprovedByTwoChanges) {
  const SyntheticEnvironment environment({.widths = {2, 4, 8}});
  const SearchProblem& problem = environment.problem();
  const CostModel cost = CostModel::Create(problem).value();
  RandomStream random(1, "best");
  const World world = Surrogate(problem, cost, {}).SampleWorld(random);
  for (const double price : {0.0, 0.5, 3.0, 100.0}) {
    SCOPED_TRACE(price);
    const auto value = [&](const Choice& choice) {
      return world.LossIncrease(choice) + price * Predict(world, cost, choice).latency_ratio;
    };
    const Choice best = BestChoice(problem, cost, world, price);
    for (const Choice& once : SingleChanges(problem, best)) {
      for (const Choice& twice : SingleChanges(problem, once)) {
        ASSERT_GE(value(twice), value(best) - 1e-12);
      }
    }
  }
}

Transition MeasuredOf(double loss, double accuracy, double latency_ns) {
  return {.choice = {},
          .status = TransitionStatus::kMeasured,
          .latency_ns = latency_ns,
          .loss = loss,
          .accuracy = accuracy};
}

std::optional<std::size_t> IncumbentOf(const SearchProblem& problem,
                                       const std::vector<Transition>& history, std::uint64_t seed) {
  IncumbentWalk walk(problem, seed);
  walk.Take(history);
  return walk.incumbent();
}

TEST(IncumbentTest, ClimbsAlwaysAndDescendsLessAndLess) {
  SearchProblem problem;
  problem.uniform8.latency_ns = 1000.0;
  problem.anchor.readings = {{.batches = 0, .loss = 0.5, .error = 0.2},
                             {.batches = 100, .loss = 0.4, .error = 0.1}};
  problem.max_measurements = 2;
  EXPECT_FALSE(IncumbentOf(problem, {}, 1).has_value());
  EXPECT_FALSE(IncumbentOf(problem, {Transition{}}, 1).has_value());
  const Transition good = MeasuredOf(0.4, 0.9, 900.0);
  const Transition bad = MeasuredOf(0.6, 0.9, 900.0);
  EXPECT_EQ(IncumbentOf(problem, {bad, good}, 1), 1U);
  int early = 0;
  int late = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    problem.max_measurements = 1'000'000;  // T = 1: e^-1 = 0.368
    early += IncumbentOf(problem, {good, bad}, seed) == 1U ? 1 : 0;
    problem.max_measurements = 1;  // T = 0.05: e^-20
    late += IncumbentOf(problem, {good, bad}, seed) == 1U ? 1 : 0;
  }
  EXPECT_NEAR(early, 368, 77);  // five standard deviations
  EXPECT_EQ(late, 0);
}

TEST(IncumbentTest, StandsWhereItStoodHoweverTheHistoryCame) {
  SearchProblem problem;
  problem.uniform8.latency_ns = 1000.0;
  problem.anchor.readings = {{.batches = 0, .loss = 0.5, .error = 0.2}};
  problem.max_measurements = 300;
  RandomStream random(1, "history");
  std::vector<Transition> history;
  IncumbentWalk walk(problem, 7);
  for (int i = 0; i < 300; ++i) {
    history.push_back(MeasuredOf(0.5 + random.NextUniform(), 0.8, 500.0 + random.NextIndex(600)));
    if (random.NextIndex(5) == 0) history.back().status = TransitionStatus::kFailed;
    if (random.NextIndex(3) == 0) continue;  // several come between two decisions
    walk.Take(history);
    EXPECT_EQ(walk.incumbent(), IncumbentOf(problem, history, 7)) << i;
  }
}

}  // namespace
}  // namespace bitpilot
