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

bool TrainedPlaces::Answered(const TrialOutcome& outcome) {
  const Trial& trial = pending_.at(outcome.id);
  Weights weights = outcome.score ? After(trial) : Of(trial.from);
  // Training that diverged read nothing of the weights that it left.
  const bool has_read = outcome.score || trial.train.batches == 0;
  const bool is_new = !has_read || read_[weights.origin.after].insert(trial.what.choice).second;
  answered_.insert_or_assign(outcome.id, std::move(weights));
  pending_.erase(outcome.id);
  return is_new;
}

bool TrainedPlaces::HasRead(Place place, const Choice& choice) const {
  const auto read = read_.find(Origin(place).after);
  return read != read_.end() && read->second.contains(choice);
}

std::set<Choice> TrainedPlaces::Read(Place place) const {
  const Place origin = Origin(place);
  std::set<Choice> read;
  if (const auto answered = read_.find(origin.after); answered != read_.end()) {
    read = answered->second;
  }
  for (const auto& [id, trial] : pending_) {
    if (Origin({id}) == origin) read.insert(trial.what.choice);
  }
  return read;
}

bool TrainedPlaces::Has(Place place) const {
  return answered_.contains(place.after) || pending_.contains(place.after);
}

void TrainedPlaces::Forget(const View& view) {
  std::erase_if(answered_, [&](const auto& place) { return !view.IsKept({place.first}); });
  std::set<TicketId> origins;
  for (const auto& [id, weights] : answered_) origins.insert(weights.origin.after);
  for (const auto& [id, trial] : pending_) origins.insert(Origin({id}).after);
  std::erase_if(read_, [&](const auto& read) { return !origins.contains(read.first); });
}

}  // namespace bitpilot
