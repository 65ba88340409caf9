#include "experiments/predictive_intervals/prediction_scores.h"

#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

namespace bitpilot {
namespace {

constexpr double kNormal90 = 1.644854;  // standard deviations in half of a 90 % interval

int BitsBetween(const Choice& a, const Choice& b) {
  int bits = 0;
  for (std::size_t i = 0; i < a.size(); ++i) bits += std::abs(a[i] - b[i]);
  return bits;
}

struct EarlierReading {
  Choice choice;
  double excess;
};

void CompareWithLastRead(const std::vector<EarlierReading>& earlier, const Choice& choice,
                         ForetoldReading* reading) {
  for (const EarlierReading& one : earlier) {
    const int bits = BitsBetween(one.choice, choice);
    if (reading->as_last_read && bits > reading->bits_from_last) continue;
    reading->as_last_read = one.excess;
    reading->bits_from_last = bits;
  }
}

}  // namespace

std::vector<ForetoldReading> ForetoldReadings(const Episodes& episodes) {
  std::vector<ForetoldReading> readings;
  std::vector<EarlierReading> earlier;
  std::map<TicketId, TicketId> weights = {{0, 0}};  // of each place: the ticket that left them
  std::set<std::pair<TicketId, Choice>> read;
  for (const Decision& decision : episodes.decisions) {
    const bool trains =
        decision.kind == Decision::Kind::kTrial || decision.kind == Decision::Kind::kAdvance;
    if (!trains || !decision.outcome) continue;
    const DecisionOutcome& outcome = *decision.outcome;
    const bool has_trained = decision.pace.batches > 0 && !outcome.diverged;
    const TicketId left = has_trained ? decision.ticket : weights[decision.from];
    weights[decision.ticket] = left;
    if (!outcome.excess || !read.emplace(left, decision.choice).second) continue;
    if (decision.figures) {
      ForetoldReading reading;
      reading.read = outcome.excess->mean;
      reading.read_error = outcome.excess->error;
      reading.predicted = reading.read + decision.figures->predicted_loss - *outcome.loss;
      reading.deviation = decision.figures->predicted_error;
      reading.has_trained = has_trained;
      CompareWithLastRead(earlier, decision.choice, &reading);
      readings.push_back(reading);
    }
    earlier.push_back({decision.choice, outcome.excess->mean});
  }
  return readings;
}

PredictionScore ScoreOf(const std::vector<ForetoldReading>& readings) {
  PredictionScore score;
  double surprises = 0.0;
  double variances = 0.0;
  for (const ForetoldReading& reading : readings) {
    const double distance = std::abs(reading.read - reading.predicted);
    ++score.readings;
    score.covered += distance <= kNormal90 * reading.deviation ? 1 : 0;
    surprises += distance * distance / (reading.deviation * reading.deviation);
    variances += reading.deviation * reading.deviation;
    if (!reading.as_last_read) continue;
    ++score.compared;
    score.error += distance;
    score.error_as_last_read += std::abs(reading.read - *reading.as_last_read);
  }
  if (score.readings > 0) {
    score.surprise = std::sqrt(surprises / score.readings);
    score.deviation = std::sqrt(variances / score.readings);
  }
  if (score.compared > 0) {
    score.error /= score.compared;
    score.error_as_last_read /= score.compared;
  }
  return score;
}

}  // namespace bitpilot
