#include "policies/view.h"

#include <algorithm>
#include <limits>
#include <string>

#include "kernels/base/check.h"
#include "policies/actions.h"
#include "policies/policy.h"

namespace bitpilot {
namespace {

bool IsShare(double rate) { return rate >= 0.0 && rate <= 1.0; }  // false for NaN

bool AllowsMore(const Totals& now, const Totals& before) {
  constexpr double kNoLimit = std::numeric_limits<double>::infinity();
  return now.mini_batches > before.mini_batches || now.measurements > before.measurements ||
         now.board_seconds.value_or(kNoLimit) > before.board_seconds.value_or(kNoLimit);
}

}  // namespace

// --- budgets ---

int View::measurements_left() const {
  return conditions_ ? std::max(0, conditions_->totals.measurements - measurements_) : 0;
}

int View::mini_batches_left() const {
  return conditions_ ? std::max(0, conditions_->totals.mini_batches - batches_) : 0;
}

std::optional<double> View::board_seconds_left() const {
  if (!conditions_ || !conditions_->totals.board_seconds) return std::nullopt;
  return *conditions_->totals.board_seconds - board_seconds_;
}

// --- tickets ---

int View::FreeSlots(const ClassId& on) const {
  if (!conditions_) return 0;
  const auto slots = conditions_->slots.find(on);
  if (slots == conditions_->slots.end()) return 0;
  const auto asks = [&](const Action& action) {
    const auto* trial = std::get_if<Trial>(&action);
    return trial != nullptr &&
           std::find(trial->classes.begin(), trial->classes.end(), on) != trial->classes.end();
  };
  const auto asked = std::count_if(in_flight_.begin(), in_flight_.end(), asks);
  return std::max(0, slots->second - static_cast<int>(asked));
}

std::vector<ClassId> View::Classes() const {
  std::vector<ClassId> classes;
  if (!conditions_) return classes;
  for (const auto& [on, slots] : conditions_->slots) {
    if (slots > 0) classes.push_back(on);
  }
  return classes;
}

const Measured* View::FindMeasured(const Choice& choice, const ClassId& on) const {
  const auto found = answers_->measured.find({choice, on});
  return found == answers_->measured.end() ? nullptr : &found->second;
}

// --- places ---

int View::DepthOf(Place place) const {
  BITPILOT_CHECK(IsKept(place));
  return places_.at(place.after).depth;
}

const Choice* View::WidthsAt(Place place) const {
  BITPILOT_CHECK(IsKept(place));
  const Choice& widths = places_.at(place.after).widths;
  return widths.empty() ? nullptr : &widths;
}

// --- legality ---

Status View::CheckCandidate(const Candidate& what) const {
  if (!IsLegal(problem_, what.choice)) {
    return InvalidArgument("its choice is not one legal width for each of " +
                           std::to_string(problem_.variables.size()) + " variables");
  }
  const std::optional<std::int64_t>& limit = problem_.budgets.max_weight_bytes;
  if (!limit) return Status();
  const std::int64_t bytes = WeightBytes(problem_.topology, ToAssignment(problem_, what.choice));
  if (bytes > *limit) {
    return InvalidArgument("its weights take " + std::to_string(bytes) + " bytes, the budget is " +
                           std::to_string(*limit));
  }
  return Status();
}

Status View::CheckTraining(Place from, const Pace& pace, int min_batches, int episode) const {
  if (!IsKept(from)) {
    return InvalidArgument("the place after ticket " + std::to_string(from.after) + " is not kept");
  }
  if (pace.batches < min_batches || pace.batches > mini_batches_left()) {
    return InvalidArgument("it trains " + std::to_string(pace.batches) + " mini-batches, of " +
                           std::to_string(min_batches) + " to " +
                           std::to_string(mini_batches_left()) + " that it may");
  }
  if (!IsShare(pace.rate_begin) || !IsShare(pace.rate_end)) {
    return InvalidArgument("its learning rates, " + std::to_string(pace.rate_begin) + " and " +
                           std::to_string(pace.rate_end) + ", are not in [0, 1]");
  }
  if (episode < 0) {
    return InvalidArgument("its episode is " + std::to_string(episode) + ", expected 0 or more");
  }
  return Status();
}

Status View::CheckClasses(const Trial& trial) const {
  int cost = 0;
  std::set<ClassId> named;
  for (const ClassId& on : trial.classes) {
    const auto slots = conditions_->slots.find(on);
    if (slots == conditions_->slots.end() || slots->second <= 0) {
      return InvalidArgument("class \"" + on + "\" has no board");
    }
    if (!named.insert(on).second) {
      return InvalidArgument("it names class \"" + on + "\" twice");
    }
    if (FreeSlots(on) == 0) {
      return InvalidArgument("class \"" + on + "\" takes " + std::to_string(slots->second) +
                             " trials in flight, no more");
    }
    cost += FindMeasured(trial.what.choice, on) == nullptr ? 1 : 0;
  }
  if (cost > measurements_left()) {
    return InvalidArgument("it costs " + std::to_string(cost) + " measurements, " +
                           std::to_string(measurements_left()) + " are left");
  }
  if (cost > 0 && board_seconds_left().value_or(1.0) <= 0.0) {
    return InvalidArgument("no board seconds are left to measure it");
  }
  return Status();
}

Status View::CheckProbe(const Probe& probe) const {
  if (!IsKept(probe.from)) {
    return InvalidArgument("the place after ticket " + std::to_string(probe.from.after) +
                           " is not kept");
  }
  if (probe.choices.empty()) return InvalidArgument("it has nothing to read");
  for (const Choice& choice : probe.choices) {
    if (!IsLegal(problem_, choice)) {
      return InvalidArgument("one of its choices is not one legal width for each of " +
                             std::to_string(problem_.variables.size()) + " variables");
    }
  }
  return Status();
}

Status View::CheckFinalists(const Stop& stop) const {
  for (const Choice& choice : stop.finalists) {
    const bool is_measured =
        std::any_of(answers_->trials.begin(), answers_->trials.end(), [&](const auto& answered) {
          return answered.trial.what.choice == choice &&
                 std::any_of(answered.outcome.classes.begin(), answered.outcome.classes.end(),
                             [](const ClassOutcome& on) {
                               return std::holds_alternative<Measured>(on.result);
                             });
        });
    if (!is_measured) return InvalidArgument("one of its finalists was not measured");
  }
  return Status();
}

Status View::Check(const Action& action) const {
  const TicketId id = IdOf(action);
  const std::string who =
      std::holds_alternative<Stop>(action) ? "stop" : "ticket " + std::to_string(id);
  if (!conditions_) return InvalidArgument(who + ": no conditions have come yet");
  if (stopped_at_) return InvalidArgument(who + ": the search has stopped");
  if (const auto* stop = std::get_if<Stop>(&action)) {
    if (!IsKept(stop->at)) {
      return InvalidArgument(who + ": the place after ticket " + std::to_string(stop->at.after) +
                             " is not kept");
    }
    return CheckFinalists(*stop).WithContext(who);
  }
  if (id != next_ticket_) {
    return InvalidArgument(who + ": expected ticket " + std::to_string(next_ticket_));
  }
  if (const auto* trial = std::get_if<Trial>(&action)) {
    BITPILOT_RETURN_IF_ERROR(CheckCandidate(trial->what).WithContext(who));
    BITPILOT_RETURN_IF_ERROR(
        CheckTraining(trial->from, trial->train, 0, trial->episode).WithContext(who));
    return CheckClasses(*trial).WithContext(who);
  }
  if (const auto* advance = std::get_if<Advance>(&action)) {
    BITPILOT_RETURN_IF_ERROR(CheckCandidate(advance->what).WithContext(who));
    return CheckTraining(advance->from, advance->train, 1, advance->episode).WithContext(who);
  }
  return CheckProbe(std::get<Probe>(action)).WithContext(who);
}

// --- bookkeeping ---

void View::SubmitTraining(TicketId id, const Choice& widths, Place from, const Pace& pace) {
  const PlaceState& begin = places_.at(from.after);
  PlaceState place;
  place.depth = begin.depth + pace.batches;
  place.widths = pace.batches > 0 ? widths : begin.widths;
  place.batches = pace.batches;
  place.from = from.after;
  place.is_answered = false;
  if (pace.batches > 0) {
    latest_ = {id};
  } else {
    place.same_as = begin.same_as.value_or(from.after);
  }
  places_[id] = std::move(place);
  batches_ += pace.batches;
}

void View::Submitted(const Action& action) {
  if (const auto* stop = std::get_if<Stop>(&action)) {
    stopped_at_ = stop->at;
    finalists_ = stop->finalists;
    return;
  }
  next_ticket_ = IdOf(action) + 1;
  if (const auto* trial = std::get_if<Trial>(&action)) {
    std::set<ClassId>& charged = charged_[trial->id];
    for (const ClassId& on : trial->classes) {
      if (FindMeasured(trial->what.choice, on) == nullptr) charged.insert(on);
    }
    measurements_ += static_cast<int>(charged.size());
    SubmitTraining(trial->id, trial->what.choice, trial->from, trial->train);
  } else if (const auto* advance = std::get_if<Advance>(&action)) {
    SubmitTraining(advance->id, advance->what.choice, advance->from, advance->train);
  }
  in_flight_.push_back(action);
  DropPlaces();
}

Action View::TakeFromFlight(TicketId id) {
  const auto found = std::find_if(in_flight_.begin(), in_flight_.end(),
                                  [&](const Action& action) { return IdOf(action) == id; });
  BITPILOT_CHECK(found != in_flight_.end());
  Action action = std::move(*found);
  in_flight_.erase(found);
  return action;
}

void View::AnswerPlace(TicketId id, int depth, bool diverged) {
  PlaceState& place = places_.at(id);
  place.depth = depth;
  place.is_answered = true;
  if (diverged) place.same_as = place.from;
  last_two_.push_back(id);
  if (last_two_.size() > 2) last_two_.erase(last_two_.begin());
  RefreshPlaces();
}

// Places come after those that they began from: one pass settles all. A place that left another one's
// weights never refers to a third by way of it, so that the second may be dropped.
void View::RefreshPlaces() {
  for (auto& [id, place] : places_) {
    if (place.same_as) {
      const auto same = places_.find(*place.same_as);
      if (same == places_.end()) continue;  // final when it was dropped
      if (same->second.same_as) place.same_as = same->second.same_as;
      place.widths = same->second.widths;
      if (!place.is_answered) place.depth = same->second.depth;
    } else if (!place.is_answered) {
      place.depth = places_.at(place.from).depth + place.batches;
    }
  }
}

View::Answers& View::OwnAnswers() {
  if (answers_.use_count() > 1) answers_ = std::make_shared<Answers>(*answers_);
  return *answers_;
}

void View::ObserveTrial(const TrialOutcome& outcome) {
  Trial trial = std::get<Trial>(TakeFromFlight(outcome.id));
  const std::set<ClassId> charged = std::move(charged_.at(outcome.id));
  charged_.erase(outcome.id);
  Answers& answers = OwnAnswers();
  for (const ClassOutcome& one : outcome.classes) {
    board_seconds_ += one.board_seconds;
    if (const auto* measured = std::get_if<Measured>(&one.result)) {
      answers.measured.emplace(std::pair(trial.what.choice, one.on), *measured);
    } else if (std::holds_alternative<BoardUnavailable>(one.result) && charged.contains(one.on)) {
      --measurements_;
    }
  }
  AnswerPlace(outcome.id, outcome.at.depth, !outcome.score);
  answers.trials.push_back({std::move(trial), outcome});
}

void View::ObserveConditions(const Conditions& conditions) {
  const Totals& now = conditions.totals;
  if (!conditions_) {
    stretches_.push_back({batches_, now.mini_batches});
  } else {
    const Totals& before = conditions_->totals;
    if (now.mini_batches > before.mini_batches) stretches_.push_back({batches_, now.mini_batches});
    if (AllowsMore(now, before)) {
      stopped_at_.reset();
      finalists_.clear();
    }
  }
  conditions_ = conditions;
}

void View::Observed(const Observation& observation) {
  if (const auto* conditions = std::get_if<Conditions>(&observation)) {
    ObserveConditions(*conditions);
  } else if (const auto* trial = std::get_if<TrialOutcome>(&observation)) {
    ObserveTrial(*trial);
  } else if (const auto* advanced = std::get_if<Advanced>(&observation)) {
    TakeFromFlight(advanced->id);
    AnswerPlace(advanced->id, advanced->at.depth, !advanced->train_loss);
  } else {
    TakeFromFlight(std::get<Probed>(observation).id);
  }
  DropPlaces();
}

void View::Keep(const std::vector<TicketId>& places) {
  BITPILOT_CHECK(places.size() <= kMaxKeeps);
  for (const TicketId place : places) BITPILOT_CHECK(IsKept({place}));
  keeps_ = {places.begin(), places.end()};
  DropPlaces();
}

void View::DropPlaces() {
  std::set<TicketId> kept = keeps_;
  kept.insert({0, latest_.after});
  kept.insert(last_two_.begin(), last_two_.end());
  if (stopped_at_) kept.insert(stopped_at_->after);
  for (const Action& action : in_flight_) {
    kept.insert(FromOf(action).after);
    if (!std::holds_alternative<Probe>(action)) kept.insert(IdOf(action));
  }
  std::erase_if(places_, [&](const auto& place) { return !kept.contains(place.first); });
}

}  // namespace bitpilot
