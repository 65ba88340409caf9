// TrainedPlaces: how far the weights of each place have adapted, as policies/loss_belief.h sees it: a
// function of the tickets that led there and of what came of them.
#pragma once

#include <map>

#include "policies/environment.h"
#include "policies/loss_belief.h"
#include "policies/view.h"

namespace bitpilot {

class TrainedPlaces {
 public:
  // belief: made the states that this hands out. Must outlive it.
  explicit TrainedPlaces(const LossBelief& belief);

  // A trial that was submitted. Nothing changes if it is known.
  void Submitted(const Trial& trial);
  // What came of it. REQUIRES: Submitted(trial).
  void Answered(const TrialOutcome& outcome);

  // Of the start, or of a submitted trial: unanswered ones as if their training went well.
  bool Has(Place place) const;
  // REQUIRES: Has(place).
  TrainedState At(Place place) const { return Of(place).state; }
  // The place whose weights these are: of a ticket that trained nothing, or whose training diverged,
  // where it began. REQUIRES: Has(place).
  Place Origin(Place place) const { return Of(place).origin; }

  // Forgets answered places that can never be named again.
  void Forget(const View& view);

  // Mini-batches of a pace, each counted by its share of the learning rate: half a cosine's mean is
  // that of its ends.
  static double Counted(const Pace& pace) {
    return 0.5 * (pace.rate_begin + pace.rate_end) * pace.batches;
  }

 private:
  struct Weights {
    TrainedState state;
    Place origin;
  };
  Weights Of(Place place) const;
  Weights After(const Trial& trial) const;

  const LossBelief& belief_;
  std::map<TicketId, Trial> pending_;
  std::map<TicketId, Weights> answered_;
};

}  // namespace bitpilot
