#include "experiments/predictive_intervals/prediction_scores.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <numbers>
#include <set>
#include <tuple>

#include "policies/index.h"
#include "policies/loss_learner.h"

namespace bitpilot {
namespace {

constexpr double kNormal90 = 1.644854;  // standard deviations in half of a 90 % interval
// Of a score that would be infinite: all predictions were exact.
constexpr double kLeastDeviation = 1e-12;

int BitsBetween(const Choice& a, const Choice& b) {
  int bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i) bits += std::abs(a[i] - b[i]);
  return bits;
}

double ProbedLoss(const SearchProblem& problem, const Choice& choice) {
  double sum = 0.0;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    const DecisionVariable& variable = problem.variables[i];
    const auto width = std::find(variable.widths.begin(), variable.widths.end(), choice[i]);
    if (width == variable.widths.end()) continue;
    sum += variable.sensitivity[AsIndex(width - variable.widths.begin())];
  }
  return sum;
}

struct EarlierReading {
  Choice choice;
  double excess = 0.0;
};

// earlier: at least one.
void CompareWithLastRead(const std::vector<EarlierReading>& earlier, ForetoldReading* reading) {
  const EarlierReading* nearest = nullptr;
  for (const EarlierReading& one : earlier) {
    const int bits = BitsBetween(one.choice, reading->choice);
    if (nearest != nullptr && bits > reading->bits_from_last) continue;
    nearest = &one;
    reading->bits_from_last = bits;
  }
  reading->as_last_read = nearest->excess;
}

Trial TrialOf(const Decision& decision) {
  return {.id = decision.ticket,
          .what = {.choice = decision.choice},
          .from = {decision.from},
          .train = decision.pace};
}

// As the learner takes it in: loss and error where they are known, no score where training diverged.
TrialOutcome OutcomeOf(const Decision& decision) {
  const DecisionOutcome& outcome = *decision.outcome;
  TrialOutcome answer;
  answer.id = decision.ticket;
  if (outcome.at) answer.at = *outcome.at;
  if (outcome.excess && outcome.loss) {
    answer.score = Scored{.loss = *outcome.loss, .excess_error = outcome.excess->error};
  }
  return answer;
}

double Square(double x) { return x * x; }

double LogScore(double distance, double deviation) {
  return 0.5 * std::log(2.0 * std::numbers::pi) + std::log(deviation) +
         0.5 * Square(distance / deviation);
}

}  // namespace

std::vector<ForetoldReading> ForetoldReadings(const Episodes& episodes) {
  const SearchProblem& problem = episodes.problem;
  std::vector<ForetoldReading> readings;
  if (problem.anchor.readings.empty()) return readings;
  LossLearner learner(problem);
  std::vector<EarlierReading> earlier = {{UniformChoice(problem, 8)}};
  for (const Decision& decision : episodes.decisions) {
    const bool trains =
        decision.kind == Decision::Kind::kTrial || decision.kind == Decision::Kind::kAdvance;
    if (!trains || !learner.places().Has({decision.from})) continue;
    const Trial trial = TrialOf(decision);
    learner.places().Submitted(trial);
    if (!decision.outcome) continue;
    const DecisionOutcome& outcome = *decision.outcome;
    const bool has_read = outcome.excess && outcome.loss;
    // Training without a reading that went well: a place, and nothing to learn.
    if (!has_read && !outcome.diverged) continue;
    const TrainedState state = learner.places().At({trial.id});
    const PredictedLoss predicted =
        PredictReading(learner.belief(), learner.reading_errors(), state, decision.choice);
    const double expected_error =
        has_read ? learner.reading_errors().Expected(outcome.excess->mean) : 0.0;
    const bool is_new = learner.Answered(trial, OutcomeOf(decision));
    if (!is_new || !has_read) continue;
    ForetoldReading reading{
        .choice = decision.choice,
        .depth = outcome.at ? outcome.at->depth : 0,
        .on_trained_weights = learner.places().Origin({trial.id}) != Place{},
        .loss = *outcome.loss,
        .predicted = predicted.mean,
        .deviation = predicted.standard_deviation,
        .read = outcome.excess->mean,
        .read_error = outcome.excess->error,
        .expected_error = expected_error,
        .as_probed = ProbedLoss(problem, decision.choice),
    };
    CompareWithLastRead(earlier, &reading);
    earlier.push_back({decision.choice, reading.read});
    readings.push_back(std::move(reading));
  }
  return readings;
}

void KeepDistinct(std::span<const ForetoldReading> known, std::vector<ForetoldReading>* readings) {
  std::set<std::tuple<Choice, int, double>> seen;
  for (const ForetoldReading& one : known) seen.emplace(one.choice, one.depth, one.loss);
  std::erase_if(*readings, [&seen](const ForetoldReading& one) {
    return !seen.emplace(one.choice, one.depth, one.loss).second;
  });
}

PredictionScore ScoreOf(std::span<const ForetoldReading> readings) {
  PredictionScore score;
  if (readings.empty()) return score;
  double surprises = 0.0;
  double variances = 0.0;
  double squares = 0.0;
  for (const ForetoldReading& reading : readings) {
    const double distance = std::abs(reading.read - reading.predicted);
    ++score.readings;
    score.covered += distance <= kNormal90 * reading.deviation ? 1 : 0;
    surprises += Square(distance / reading.deviation);
    variances += Square(reading.deviation);
    squares += Square(distance);
    score.log_score += LogScore(distance, reading.deviation);
    score.error += distance;
    score.error_as_last_read += std::abs(reading.read - reading.as_last_read);
    score.error_as_probed += std::abs(reading.read - reading.as_probed);
    score.error_as_zero += std::abs(reading.read);
  }
  const double count = score.readings;
  score.surprise = std::sqrt(surprises / count);
  score.deviation = std::sqrt(variances / count);
  const double one_deviation = std::max(std::sqrt(squares / count), kLeastDeviation);
  for (const ForetoldReading& reading : readings) {
    score.log_score_of_one_deviation += LogScore(reading.read - reading.predicted, one_deviation);
  }
  for (double* const mean :
       {&score.log_score, &score.log_score_of_one_deviation, &score.error,
        &score.error_as_last_read, &score.error_as_probed, &score.error_as_zero}) {
    *mean /= count;
  }
  return score;
}

}  // namespace bitpilot
