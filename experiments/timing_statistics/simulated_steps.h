// Steps of a search, each a candidate beside uniform 8 bit, on simulated machines of known truth: the
// search's own rule of what is measured again (agent/session/step_measurement.h) over the trials of
// simulated_trials.h.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "experiments/timing_statistics/simulated_trials.h"

namespace bitpilot {

// What happens to the candidate beside the machine's noise. Each measurement of a step is hit, or is
// not, by itself.
struct StepDisturbance {
  std::string name;
  double hits = 0.0;  // probability
  Level level;        // of the candidate while it is hit
};

// None; a fifth of the windows 15 % slower, and 5 % slower from the fifth window on, each in one
// measurement of five and in all of them.
std::vector<StepDisturbance> AllStepDisturbances();

// What the steps of searches came to.
struct StepCounts {
  int steps = 0;
  int covered = 0;             // whose interval holds the true ratio
  int noisy = 0;               // that count as NOISY in the end
  double first_seconds = 0.0;  // of the board: SCREEN and STANDARD
  double repeat_seconds = 0.0;

  // How much longer measuring takes than without repeats.
  double times() const { return (first_seconds + repeat_seconds) / first_seconds; }
};

inline constexpr int kStepsOfASearch = 24;

// Searches of kStepsOfASearch steps on a machine with `noise` times `scale`. is_limited: repeats have
// the budget of a search (agent/session/repeat_budget.h), else what is NOISY is always measured again.
StepCounts SimulateSteps(const StepDisturbance& disturbance, const Noise& noise, double scale,
                         bool is_limited, int searches, std::uint64_t seed);

}  // namespace bitpilot
