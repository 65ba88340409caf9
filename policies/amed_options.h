// AmedOptions: what policy "amed" (policies/amed.h) leaves to its user, with what each choice costs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

struct AmedOptions {
  // False: "two-stage". Reads untrained weights only, and plans with the final training only: the
  // search's mini-batches are not spent. Who compares it with a search that spends them gives its
  // finalists as many more.
  bool train_while_searching = true;
  // Mini-batches that a step may train, in units of SearchProblem::batches_per_step; ascending, not
  // negative. 0: read what is there. Each one more makes decisions slower in proportion.
  std::vector<int> training_steps = {0, 1, 2, 4, 8};
  // Networks that the search may end with, looked at in one decision. At least 2; the time of a decision
  // grows with its square.
  int targets = 24;
  // Worlds drawn from what is believed, of which the best choices become targets. At least 1.
  int worlds = 9;
  // Of the targets, how many are looked at as what to train or to measure next, at each place; what to
  // read is chosen from all. 1 .. targets.
  int steps_considered = 8;
  // A step must be worth that much more than stopping: nats, or hypervolume where no budget of latency
  // or energy is set. Not negative.
  double least_gain = 1e-4;
  // A plan that trains must be worth as much more than one that only reads as so many nats of every
  // target's loss are: training cannot be taken back, and planned training is worth a little less than it
  // seems (experiments/planning). Not negative.
  double least_gain_of_training = 0.003;

  friend bool operator==(const AmedOptions&, const AmedOptions&) = default;
};

// One JSON object with every field, by its name.
std::string ToJson(const AmedOptions& options);

// Fields that `text` lacks have their defaults.
//
// Errors: kInvalidArgument names the field that is unknown, of another type or out of its range.
Result<AmedOptions> AmedOptionsFromJson(std::string_view text);

}  // namespace bitpilot
