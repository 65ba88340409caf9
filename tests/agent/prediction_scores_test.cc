#include "experiments/predictive_intervals/prediction_scores.h"

#include <gtest/gtest.h>

#include <vector>

namespace bitpilot {
namespace {

// A trial that trained `batches` from `from` and read `excess`, foretold as `predicted`. Uniform 8 bit
// alone has a loss of .5 at any depth.
Decision TrialOf(TicketId ticket, TicketId from, int batches, Choice choice, double predicted,
                 double excess) {
  Decision decision;
  decision.ticket = ticket;
  decision.from = from;
  decision.pace.batches = batches;
  decision.choice = std::move(choice);
  decision.figures = DecisionFigures{.predicted_loss = 0.5 + predicted, .predicted_error = 0.1};
  DecisionOutcome outcome;
  outcome.loss = 0.5 + excess;
  outcome.excess = ExcessLoss{excess, 0.02};
  decision.outcome = outcome;
  return decision;
}

TEST(PredictionScoresTest, CountsWhatNinetyPercentIntervalsHold) {
  // 1.645 deviations of .1 reach .1645 far.
  const std::vector<ForetoldReading> readings =
      ForetoldReadings({{},
                        {TrialOf(1, 0, 0, {4, 4}, 0.2, 0.36), TrialOf(2, 0, 0, {8, 4}, 0.2, 0.03),
                         TrialOf(3, 0, 0, {4, 8}, 0.2, 0.2)}});
  ASSERT_EQ(readings.size(), 3U);
  EXPECT_NEAR(readings[0].predicted, 0.2, 1e-12);
  EXPECT_EQ(readings[0].deviation, 0.1);
  EXPECT_EQ(readings[0].read, 0.36);
  EXPECT_EQ(readings[0].read_error, 0.02);
  const PredictionScore score = ScoreOf(readings);
  EXPECT_EQ(score.readings, 3);
  EXPECT_EQ(score.covered, 2);                                            // .17 is too far
  EXPECT_NEAR(score.surprise * score.surprise, (2.56 + 2.89) / 3, 1e-9);  // 1.6, 1.7 and 0
  EXPECT_NEAR(score.deviation, 0.1, 1e-12);
}

TEST(PredictionScoresTest, ComparesWithTheNearestWidthsThatWereReadLast) {
  const std::vector<ForetoldReading> readings =
      ForetoldReadings({{},
                        {TrialOf(1, 0, 0, {2, 2}, 0.0, 0.9), TrialOf(2, 0, 10, {4, 4}, 0.5, 0.4),
                         TrialOf(3, 2, 0, {2, 4}, 0.5, 0.6), TrialOf(4, 2, 10, {4, 4}, 0.2, 0.3)}});
  ASSERT_EQ(readings.size(), 4U);
  EXPECT_FALSE(readings[0].as_last_read.has_value());
  EXPECT_EQ(readings[1].as_last_read, 0.9);
  EXPECT_EQ(readings[1].bits_from_last, 4);
  EXPECT_TRUE(readings[1].has_trained);
  EXPECT_EQ(readings[2].as_last_read, 0.4) << "2 bits from both: the later one";
  EXPECT_FALSE(readings[2].has_trained);
  EXPECT_EQ(readings[3].as_last_read, 0.4) << "the same widths, on other weights";
  EXPECT_EQ(readings[3].bits_from_last, 0);
  const PredictionScore score = ScoreOf(readings);
  EXPECT_EQ(score.readings, 4);
  EXPECT_EQ(score.compared, 3);
  EXPECT_NEAR(score.error, (0.1 + 0.1 + 0.1) / 3, 1e-12);
  EXPECT_NEAR(score.error_as_last_read, (0.5 + 0.2 + 0.1) / 3, 1e-12);
}

TEST(PredictionScoresTest, LeavesOutWhatRepeatsAReadingOrHasNone) {
  std::vector<Decision> decisions = {
      TrialOf(1, 0, 0, {4, 4}, 0.2, 0.3),  TrialOf(2, 1, 0, {4, 4}, 0.3, 0.3),  // 1 is the start
      TrialOf(3, 1, 10, {4, 4}, 0.2, 0.1), TrialOf(4, 3, 0, {4, 4}, 0.1, 0.1),
      TrialOf(5, 3, 10, {2, 2}, 0.2, 0.0), TrialOf(6, 5, 0, {4, 4}, 0.1, 0.1),
      TrialOf(7, 3, 0, {2, 4}, 0.2, 0.2),  TrialOf(8, 3, 0, {8, 8}, 0.2, 0.2)};
  decisions[4].outcome = DecisionOutcome();
  decisions[4].outcome->diverged = true;
  decisions[6].figures.reset();  // read, but not foretold
  decisions[7].outcome.reset();  // in flight
  Decision stop;
  stop.kind = Decision::Kind::kStop;
  decisions.push_back(stop);
  const std::vector<ForetoldReading> readings = ForetoldReadings({{}, decisions});
  // Ticket 1 and ticket 3: 6 reads what 3 did, for 5 diverged and left its weights.
  ASSERT_EQ(readings.size(), 2U);
  EXPECT_EQ(readings[0].read, 0.3);
  EXPECT_EQ(readings[1].read, 0.1);
}

TEST(PredictionScoresTest, GivesNothingForNoReading) {
  const PredictionScore score = ScoreOf({});
  EXPECT_EQ(score.readings, 0);
  EXPECT_EQ(score.surprise, 0.0);
  EXPECT_EQ(score.error, 0.0);
}

}  // namespace
}  // namespace bitpilot
