// A against B on simulated machines of known truth: the product's own protocol (kernels/versus/versus.h)
// over the trials of simulated_trials.h.
#pragma once

#include <cstdint>
#include <vector>

#include "experiments/timing_statistics/simulated_trials.h"

namespace bitpilot {

struct VersusMachine {
  Noise noise;
  double scale = 0.01;  // of the noise of a window
  double second = 0.0;  // so much slower is who goes second in a block
  double place =
      0.0;  // up to so much slower or faster is each network, for as long as a block lasts
};

// What comparisons came to.
struct VersusClaims {
  int comparisons = 0;
  int faster = 0;
  int slower = 0;
  int no_difference = 0;
  int no_verdict = 0;            // two copies of A were told apart
  int covered = 0;               // whose interval holds the true ratio
  std::vector<double> smallest;  // differences that are found, where one was stated
  double seconds = 0.0;          // of the machine, in all
};

// Compares A, which takes `ratio` times as long as B. A block that is NOISY is measured again, as the
// product does.
VersusClaims CountVersusClaims(double ratio, const VersusMachine& machine, int comparisons,
                               std::uint64_t seed);

}  // namespace bitpilot
