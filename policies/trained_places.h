// TrainedPlaces: how far the weights of each place have adapted, as policies/loss_belief.h sees it: a
// function of the tickets that led there and of what came of them.
#pragma once

#include <map>
#include <set>

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
  // What came of it. False if it read what had been read before: the same widths on the same weights
  // give the same figures, whichever ticket names the place. REQUIRES: Submitted(trial).
  [[nodiscard]] bool Answered(const TrialOutcome& outcome);

  // Of the start, or of a submitted trial: unanswered ones as if their training went well.
  bool Has(Place place) const;
  // REQUIRES: Has(place).
  TrainedState At(Place place) const { return Of(place).state; }
  // The place whose weights these are: of a ticket that trained nothing, or whose training diverged,
  // where it began. REQUIRES: Has(place).
  Place Origin(Place place) const { return Of(place).origin; }
  // True if an answer told the loss at these widths on a place's weights. REQUIRES: Has(place).
  bool HasRead(Place place, const Choice& choice) const;
  // Widths whose loss was read on a place's weights, or is being read. REQUIRES: Has(place).
  std::set<Choice> Read(Place place) const;

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
  std::map<TicketId, std::set<Choice>> read_;  // answered ones, by the origin of the weights
};

}  // namespace bitpilot
