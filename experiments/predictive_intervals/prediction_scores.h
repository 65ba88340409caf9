// How well a policy that plans foretold the losses that its search then read.
#pragma once

#include <optional>
#include <vector>

#include "agent/study/episodes.h"

namespace bitpilot {

// A reading that was foretold. Losses are excesses over uniform 8 bit trained alone for as long, nats
// (policies/reward.h): what that twin loses is known before, and is no prediction.
struct ForetoldReading {
  double predicted = 0.0;
  double deviation = 0.0;  // predicted, of what is read
  double read = 0.0;
  double read_error = 0.0;  // standard error of `read` by the images
  bool has_trained = false;
  // As last read: of the earlier reading whose widths are nearest, by the sum of the differences in bits;
  // of equally near ones the latest. Absent of a search's first reading.
  std::optional<double> as_last_read;
  int bits_from_last = 0;  // that sum
};

// In the order of the search. Left out is what says nothing: training that diverged, decisions without a
// prediction, and what repeats a reading, the same widths on the same weights.
std::vector<ForetoldReading> ForetoldReadings(const Episodes& episodes);

// All figures are 0 without a reading.
struct PredictionScore {
  int readings = 0;
  int covered = 0;  // by the 90 % interval, both ends included
  double surprise =
      0.0;  // root mean square of (read - predicted) / deviation: 1 where deviations are right
  double deviation = 0.0;  // root mean square
  // Of those that have a reading before: mean absolute errors, nats.
  int compared = 0;
  double error = 0.0;
  double error_as_last_read = 0.0;
};
PredictionScore ScoreOf(const std::vector<ForetoldReading>& readings);

}  // namespace bitpilot
