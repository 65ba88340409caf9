// LossLearner: what the answers to a search's trials teach of the loss: how far the weights of each place
// have adapted, what is believed of the loss at any widths on them, and how far readings are off.
//
// It is how policy "amed" learns; the search that it learns from may be any policy's.
#pragma once

#include "policies/environment.h"
#include "policies/loss_belief.h"
#include "policies/reading_errors.h"
#include "policies/search_problem.h"
#include "policies/trained_places.h"

namespace bitpilot {

// What a reading of weights in `state` at `choice` is expected to be: an excess loss, with the deviation
// that the reading's own error has a part in.
PredictedLoss PredictReading(const LossBelief& belief, const ReadingErrors& errors,
                             const TrainedState& state, const Choice& choice);

// Not thread-safe.
class LossLearner {
 public:
  // `problem`, of which variables and anchor count, must outlive this object.
  explicit LossLearner(const SearchProblem& problem);
  // places_ refers to belief_.
  LossLearner(const LossLearner&) = delete;
  LossLearner& operator=(const LossLearner&) = delete;

  // Trials are told to it, TrainedPlaces::Submitted(), before they are answered.
  TrainedPlaces& places() { return places_; }
  const TrainedPlaces& places() const { return places_; }
  const LossBelief& belief() const { return belief_; }
  const ReadingErrors& reading_errors() const { return reading_errors_; }

  // Takes in what came of a trial: its loss over the anchor's, or that its training diverged, which is
  // believed to be as bad as guessing. Returns false, and learns nothing, if that had been read before: the
  // same widths on the same weights.
  //
  // REQUIRES: places().Submitted(trial); where the outcome has a score, the anchor has a reading.
  bool Answered(const Trial& trial, const TrialOutcome& outcome);

 private:
  const SearchProblem& problem_;
  LossBelief belief_;
  TrainedPlaces places_;
  ReadingErrors reading_errors_;
};

}  // namespace bitpilot
