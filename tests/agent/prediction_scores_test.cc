#include "experiments/predictive_intervals/prediction_scores.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "policies/loss_learner.h"

namespace bitpilot {
namespace {

// Two variables of 2, 4 or 8 bits; uniform 8 bit alone has a loss of .5 at any depth.
SearchProblem ProblemOf() {
  SearchProblem problem;
  for (int i = 0; i < 2; ++i) {
    DecisionVariable variable;
    variable.index = i;
    variable.name = "variable" + std::to_string(i);
    variable.widths = {2, 4, 8};
    variable.sensitivity = {0.4, 0.05, 0.0};
    problem.variables.push_back(std::move(variable));
  }
  problem.anchor.readings = {{0, 0.5, 1e-3, 0.15}};
  return problem;
}

// A trial that trained `batches` from `from` and read `excess`. No policy foretold anything.
Decision TrialOf(TicketId ticket, TicketId from, int batches, Choice choice, double excess) {
  Decision decision;
  decision.ticket = ticket;
  decision.from = from;
  decision.pace.batches = batches;
  decision.choice = std::move(choice);
  DecisionOutcome outcome;
  outcome.at = Progress{.depth = batches, .spent = batches};
  outcome.loss = 0.5 + excess;
  outcome.excess = ExcessLoss{excess, 0.02};
  decision.outcome = outcome;
  return decision;
}

ForetoldReading ReadingOf(double predicted, double deviation, double read) {
  ForetoldReading reading;
  reading.predicted = predicted;
  reading.deviation = deviation;
  reading.read = read;
  return reading;
}

TEST(PredictionScoresTest, ForetellsEachReadingFromThoseBeforeItOfWhicheverPolicy) {
  const SearchProblem problem = ProblemOf();
  const std::vector<Decision> decisions = {TrialOf(1, 0, 0, {2, 4}, 0.6),
                                           TrialOf(2, 1, 10, {2, 4}, 0.2)};
  const std::vector<ForetoldReading> readings = ForetoldReadings({problem, decisions});
  ASSERT_EQ(readings.size(), 2U);
  LossLearner learner(problem);
  const auto expect = [&](const TrainedState& state, const ForetoldReading& reading) {
    const PredictedLoss predicted =
        PredictReading(learner.belief(), learner.reading_errors(), state, reading.choice);
    EXPECT_DOUBLE_EQ(reading.predicted, predicted.mean);
    EXPECT_DOUBLE_EQ(reading.deviation, predicted.standard_deviation);
    EXPECT_DOUBLE_EQ(reading.expected_error, learner.reading_errors().Expected(reading.read));
  };
  expect(learner.belief().Start(), readings[0]);
  const Trial first{.id = 1, .what = {.choice = {2, 4}}};
  learner.places().Submitted(first);
  TrialOutcome outcome;
  outcome.id = 1;
  outcome.score = Scored{.loss = 1.1, .excess_error = 0.02};
  EXPECT_TRUE(learner.Answered(first, outcome));
  expect(learner.belief().After(learner.belief().Start(), {2, 4}, 10.0), readings[1]);
  EXPECT_FALSE(readings[0].on_trained_weights);
  EXPECT_TRUE(readings[1].on_trained_weights);
  EXPECT_NEAR(readings[0].read, 0.6, 1e-12);
  EXPECT_EQ(readings[0].read_error, 0.02);
}

TEST(PredictionScoresTest, TellsReadingsOnTrainedWeightsFromThoseBefore) {
  const std::vector<ForetoldReading> readings =
      ForetoldReadings({ProblemOf(),
                        {TrialOf(1, 0, 10, {2, 4}, 0.3), TrialOf(2, 1, 0, {2, 8}, 0.2),
                         TrialOf(3, 0, 0, {2, 8}, 0.4)}});
  ASSERT_EQ(readings.size(), 3U);
  EXPECT_TRUE(readings[1].on_trained_weights) << "read on weights that 1 trained";
  EXPECT_FALSE(readings[2].on_trained_weights);
}

TEST(PredictionScoresTest, GivesItsRivalsWhatIsKnownBeforeToo) {
  const std::vector<ForetoldReading> readings =
      ForetoldReadings({ProblemOf(),
                        {TrialOf(1, 0, 0, {8, 4}, 0.04), TrialOf(2, 0, 0, {2, 4}, 0.6),
                         TrialOf(3, 2, 10, {2, 2}, 0.7), TrialOf(4, 3, 10, {2, 2}, 0.3)}});
  ASSERT_EQ(readings.size(), 4U);
  EXPECT_EQ(readings[0].as_last_read, 0.0) << "of 8 bit, which nothing read";
  EXPECT_EQ(readings[0].bits_from_last, 4);
  EXPECT_NEAR(readings[1].as_last_read, 0.04, 1e-12);
  EXPECT_NEAR(readings[2].as_last_read, 0.6, 1e-12);
  EXPECT_NEAR(readings[3].as_last_read, 0.7, 1e-12) << "the same widths, on other weights";
  EXPECT_EQ(readings[3].bits_from_last, 0);
  EXPECT_DOUBLE_EQ(readings[1].as_probed, 0.45);
  EXPECT_DOUBLE_EQ(readings[3].as_probed, 0.8);
}

TEST(PredictionScoresTest, LeavesOutWhatRepeatsAReadingOrHasNone) {
  std::vector<Decision> decisions = {
      TrialOf(1, 0, 0, {4, 4}, 0.3),  TrialOf(2, 1, 0, {4, 4}, 0.3),  // 1 is the start
      TrialOf(3, 1, 10, {4, 4}, 0.1), TrialOf(4, 3, 0, {4, 4}, 0.1), TrialOf(5, 3, 10, {2, 2}, 0.0),
      TrialOf(6, 5, 0, {4, 4}, 0.1),  TrialOf(7, 3, 0, {8, 8}, 0.2)};
  decisions[4].outcome = DecisionOutcome();
  decisions[4].outcome->diverged = true;
  decisions[6].outcome.reset();  // in flight
  Decision stop;
  stop.kind = Decision::Kind::kStop;
  decisions.push_back(stop);
  const std::vector<ForetoldReading> readings = ForetoldReadings({ProblemOf(), decisions});
  // Ticket 1 and ticket 3: 6 reads what 3 did, for 5 diverged and left its weights.
  ASSERT_EQ(readings.size(), 2U);
  EXPECT_NEAR(readings[0].read, 0.3, 1e-12);
  EXPECT_NEAR(readings[1].read, 0.1, 1e-12);
}

// Studies with other seeds read the same losses on weights that did not train: nothing is held out.
TEST(PredictionScoresTest, CountsEqualReadingsOfTwoStudiesOnce) {
  const std::vector<Decision> decisions = {TrialOf(1, 0, 0, {4, 4}, 0.3),
                                           TrialOf(2, 1, 10, {4, 4}, 0.1)};
  const std::vector<ForetoldReading> one = ForetoldReadings({ProblemOf(), decisions});
  std::vector<Decision> with_other_seed = decisions;
  with_other_seed[1] = TrialOf(2, 1, 10, {4, 4}, 0.11);
  std::vector<ForetoldReading> other = ForetoldReadings({ProblemOf(), with_other_seed});
  KeepDistinct(one, &other);
  ASSERT_EQ(other.size(), 1U);
  EXPECT_NEAR(other[0].read, 0.11, 1e-12);
  std::vector<ForetoldReading> twice = {one[0], one[1], one[0]};
  KeepDistinct({}, &twice);
  EXPECT_EQ(twice.size(), 2U);
}

TEST(PredictionScoresTest, CountsWhatNinetyPercentIntervalsHold) {
  // 1.645 deviations of .1 reach .1645 far.
  const PredictionScore score = ScoreOf(std::vector<ForetoldReading>{
      ReadingOf(0.2, 0.1, 0.36), ReadingOf(0.2, 0.1, 0.03), ReadingOf(0.2, 0.1, 0.2)});
  EXPECT_EQ(score.readings, 3);
  EXPECT_EQ(score.covered, 2);                                            // .17 is too far
  EXPECT_NEAR(score.surprise * score.surprise, (2.56 + 2.89) / 3, 1e-9);  // 1.6, 1.7 and 0
  EXPECT_NEAR(score.deviation, 0.1, 1e-12);
  EXPECT_NEAR(score.error, 0.33 / 3, 1e-12);
  EXPECT_NEAR(score.error_as_zero, 0.59 / 3, 1e-12);
}

// Intervals that hold everything pass by coverage alone.
TEST(PredictionScoresTest, ScoresDeviationsWorseThatAreTooWideOrTheSameForAll) {
  const auto score_of = [](double first, double second) {
    return ScoreOf(
        std::vector<ForetoldReading>{ReadingOf(0.0, first, 0.01), ReadingOf(0.0, second, 0.1)});
  };
  const PredictionScore right = score_of(0.01, 0.1);
  const double constant = 0.5 * std::log(2.0 * std::numbers::pi);
  EXPECT_NEAR(right.log_score, constant + 0.5 * std::log(0.001) + 0.5, 1e-12);
  EXPECT_NEAR(right.log_score_of_one_deviation, constant + 0.5 * std::log(0.0101 / 2) + 0.5, 1e-12);
  EXPECT_LT(right.log_score, right.log_score_of_one_deviation);
  const PredictionScore wide = score_of(0.5, 0.5);
  EXPECT_EQ(wide.covered, 2);
  EXPECT_GT(wide.log_score, wide.log_score_of_one_deviation);
}

TEST(PredictionScoresTest, GivesNothingWithoutAReadingOrATwin) {
  const PredictionScore score = ScoreOf({});
  EXPECT_EQ(score.readings, 0);
  EXPECT_EQ(score.log_score, 0.0);
  SearchProblem without_twin = ProblemOf();
  without_twin.anchor.readings.clear();
  EXPECT_TRUE(ForetoldReadings({without_twin, {TrialOf(1, 0, 0, {4, 4}, 0.3)}}).empty());
}

}  // namespace
}  // namespace bitpilot
