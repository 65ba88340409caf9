// How well the belief of policy "amed" foretells the losses that a search read, whichever policy decided.
#pragma once

#include <span>
#include <vector>

#include "agent/study/episodes.h"
#include "policies/search_problem.h"

namespace bitpilot {

// A reading that was foretold. Losses are excesses over uniform 8 bit trained alone for as long, nats
// (policies/reward.h): what that twin loses is known before, and is no prediction.
struct ForetoldReading {
  Choice choice;
  int depth = 0;                    // mini-batches that the weights have had
  bool on_trained_weights = false;  // not those that the search began with
  double loss = 0.0;                // as read, not an excess
  double predicted = 0.0;
  double deviation = 0.0;  // predicted, of what is read
  double read = 0.0;
  double read_error = 0.0;  // standard error of `read` by the images; 0: not known
  double expected_error =
      0.0;  // what the readings before let expect of read_error where `read` is read
  // The rivals. As last read: of the earlier reading whose widths are nearest, by the sum of the
  // differences in bits; of equally near ones the latest. That 8 bit has an excess of 0 is known at first.
  double as_last_read = 0.0;
  int bits_from_last = 0;  // that sum
  double as_probed = 0.0;  // sum of the sensitivities that were probed before the search
};

// What the belief (policies/loss_learner.h) expects of each reading of the search before it takes it in, in
// the order in which they were decided. Left out is what says nothing: training that diverged and what
// repeats a reading, the same widths on the same weights. Empty if the search had no twin.
std::vector<ForetoldReading> ForetoldReadings(const Episodes& episodes);

// Removes readings that are in `known` or come again: the same widths, depth and loss, to the last bit.
// Other weights have other losses; equal ones are a function of the widths, whatever the study's seed:
// weights that did not train, above all.
void KeepDistinct(std::span<const ForetoldReading> known, std::vector<ForetoldReading>* readings);

// All figures are 0 without a reading; distances are absolute, nats.
struct PredictionScore {
  int readings = 0;
  int covered = 0;  // by the 90 % interval, both ends included
  double surprise =
      0.0;  // root mean square of (read - predicted) / deviation: 1 if deviations are right
  double deviation = 0.0;  // root mean square
  // Mean of -ln p(read), p normal: the lower, the better; deviations that are too wide lose, too.
  double log_score = 0.0;
  // Of the same means with the one deviation for all that is best for these readings: what is read must
  // be known to choose it.
  double log_score_of_one_deviation = 0.0;
  double error = 0.0;  // mean distance from the prediction
  double error_as_last_read = 0.0;
  double error_as_probed = 0.0;
  double error_as_zero = 0.0;  // had 0 been foretold
};
PredictionScore ScoreOf(std::span<const ForetoldReading> readings);

}  // namespace bitpilot
