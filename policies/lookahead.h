// Lookahead: what a step of training and reading is worth for the network that the search ends with.
//
// Training moves the weights towards the widths that it trains at and away from others, and a reading
// teaches about all widths that share something with it. A step is worth what the rest of the budget
// and the final training are expected to make of it:
//
//   state after the step, then all that is left trained at target j      ->  mean loss mu_j of each target
//   what the reading may teach, one normal number z                      ->  mu_j + s_j z
//   value = E over z of the utility of all targets' losses, each its mean over the likely taus
//
//   s_j = cov(loss of j at the end, reading) / sqrt(var(reading) + noise^2)
//
// Only what the reading teaches varies under the utility: which tau holds does not become known by
// a step, and a step that teaches nothing is worth no more than none.
//
// Source: the knowledge gradient for correlated beliefs, Frazier, Powell and Dayanik, INFORMS Journal
// on Computing 21(4), 2009, with a state that the step moves.
#pragma once

#include <functional>
#include <vector>

#include "policies/loss_belief.h"
#include "policies/search_problem.h"

namespace bitpilot {

// What is left to train, and how it counts.
struct TrainingLeft {
  int search_batches = 0;  // of the search's budget
  int final_batches = 0;   // that every finalist trains after it
  // Mini-batches, each counted by its share of the learning rate, of the `count` ones that follow
  // `from` more of the search's. The final ones have a schedule of their own: the number as it is.
  std::function<double(int from, int count)> counted = [](int, int count) -> double {
    return count;
  };
};

// A step: train `batches` at `what` from a place, then read the loss at `what`.
struct Step {
  int place = 0;  // position among the places
  Choice what;
  int batches = 0;  // <= TrainingLeft::search_batches
};

class Lookahead {
 public:
  // Larger is better. losses: excess loss of each target at the end, [targets].
  using Utility = std::function<double(const std::vector<double>& losses)>;

  // belief: must outlive this object. targets: networks that the search may end with.
  //
  // loss_error: standard error of a reading, nats. REQUIRES: > 0.
  Lookahead(const LossBelief& belief, std::vector<Choice> targets, TrainingLeft left,
            double loss_error, Utility utility);

  // Of a step from weights in `state`.
  double Value(const TrainedState& state, const Choice& what, int batches) const;
  // Of training no more in the search: the targets get what is left from `state`, nothing is read.
  double ValueOfStopping(const TrainedState& state) const;

  // Expected excess loss of each target if all that is left trains it from `state`: [targets].
  std::vector<double> FinalLosses(const TrainedState& state) const;

 private:
  // Position of a tau in kAdaptationTaus, and its weight.
  struct LikelyTau {
    std::size_t position;
    double weight;
  };
  // What a step tells of each target's loss at the end: mean[j] + learned[j] z.
  struct Outlook {
    std::vector<double> mean;
    std::vector<double> learned;
  };
  // Adds `tau`'s outlook, by its weight, to `outlook`.
  void AddOutlook(const LikelyTau& tau, const Adaptation& adaptation, const Choice& what,
                  int batches, Outlook* outlook) const;
  // Features of each target after all that is left behind the first `used` mini-batches.
  std::vector<SparseFeatures> FinalFeatures(std::size_t tau, const Adaptation& adaptation,
                                            int used) const;

  const LossBelief& belief_;
  std::vector<Choice> targets_;
  TrainingLeft left_;
  double noise_variance_;
  Utility utility_;
  std::vector<LikelyTau> taus_;
};

}  // namespace bitpilot
