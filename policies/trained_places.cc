#include "policies/trained_places.h"

#include <utility>

namespace bitpilot {

TrainedPlaces::TrainedPlaces(const LossBelief& belief)
    : belief_(belief), answered_({{0, {belief.Start(), Place{}}}}) {}

void TrainedPlaces::Submitted(const Trial& trial) {
  if (!answered_.contains(trial.id)) pending_.insert_or_assign(trial.id, trial);
}

TrainedPlaces::Weights TrainedPlaces::Of(Place place) const {
  const auto answered = answered_.find(place.after);
  return answered != answered_.end() ? answered->second : After(pending_.at(place.after));
}

TrainedPlaces::Weights TrainedPlaces::After(const Trial& trial) const {
  Weights from = Of(trial.from);
  if (trial.train.batches == 0) return from;
  return {belief_.After(from.state, trial.what.choice, Counted(trial.train)), Place{trial.id}};
}

void TrainedPlaces::Answered(const TrialOutcome& outcome) {
  const Trial& trial = pending_.at(outcome.id);
  Weights weights = outcome.score ? After(trial) : Of(trial.from);
  answered_.insert_or_assign(outcome.id, std::move(weights));
  pending_.erase(outcome.id);
}

bool TrainedPlaces::Has(Place place) const {
  return answered_.contains(place.after) || pending_.contains(place.after);
}

void TrainedPlaces::Forget(const View& view) {
  std::erase_if(answered_, [&](const auto& place) { return !view.IsKept({place.first}); });
}

}  // namespace bitpilot
