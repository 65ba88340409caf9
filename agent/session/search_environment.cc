#include "agent/session/search_environment.h"

#include <algorithm>
#include <set>
#include <utility>

#include "agent/fleet/stopped.h"
#include "agent/session/action_events.h"
#include "kernels/base/check.h"
#include "kernels/base/network_file.h"
#include "policies/actions.h"
#include "policies/cost_model.h"

namespace bitpilot {

SearchEnvironment::SearchEnvironment(const SearchConfig& config, const SearchProblem& problem,
                                     StoredFile start, StoredFile uniform8, TwinLosses twin,
                                     ClassBoards* boards, BoardPools& pools,
                                     PlacedTraining& training, Journal& journal,
                                     const StudyFiles& files, std::function<bool()> stop)
    : config_(config),
      problem_(problem),
      training_(training),
      journal_(journal),
      files_(files),
      stop_(std::move(stop)),
      classes_(ClassesOf(config)),
      boards_(boards),
      pools_(pools),
      uniform8_file_(uniform8),
      twin_(std::move(twin)),
      board_(problem, std::move(uniform8), classes_, boards, journal, files, &pools),
      view_(problem),
      totals_(TotalsOf(config)),
      same_weights_(problem, training, twin_),
      places_({{0, {std::move(start), 0}}}),
      answered_(problem, classes_) {}

Status SearchEnvironment::Submit(const Action& action) {
  BITPILOT_RETURN_IF_ERROR(view_.Check(action));
  if (!std::holds_alternative<Stop>(action)) {
    Ticket ticket;
    ticket.action = action;
    if (const auto* trial = std::get_if<Trial>(&action)) {
      ticket.step = num_trials_++;
      for (const ClassId& on : trial->classes) {
        const auto earlier = measured_as_.find({trial->what.choice, on});
        const bool is_known = earlier != measured_as_.end();
        ticket.rows_of_step[on] = is_known ? earlier->second : ticket.step;
        if (!is_known) ticket.waits.insert(on);
      }
    }
    const Pace* pace = PaceOf(action);
    ticket.spent = view_.mini_batches_submitted() + (pace != nullptr ? pace->batches : 0);
    tickets_.push_back(std::move(ticket));
  }
  view_.Submitted(action);
  return Status();
}

std::optional<Observation> SearchEnvironment::Next() {
  failure_.clear();
  const auto ended = [&](const Status& status) {
    status_ = stop_() ? Status() : status;
    return std::nullopt;
  };
  Result<std::optional<Observation>> logged = Replay();
  if (!logged.ok()) return ended(logged.status());
  if (*logged) return std::move(**logged);
  if (!journal_.recording()) return ended(EndOfLog());
  Result<Observation> live = Live();
  if (!live.ok()) return ended(live.status());
  return std::move(*live);
}

void SearchEnvironment::Keep(const std::vector<TicketId>& places) {
  view_.Keep(places);
  DropPlaces();
}

void SearchEnvironment::Extend(int measurements) {
  const int before = totals_.measurements;
  totals_.measurements += measurements;
  totals_.mini_batches += static_cast<int>(MiniBatchesOf(config_, totals_.measurements) -
                                           MiniBatchesOf(config_, before));
  if (totals_.board_seconds) {
    // What the last measurement took beyond the budget is no debt of those that are added.
    *totals_.board_seconds += std::max(0.0, -view_.board_seconds_left().value_or(0.0)) +
                              *config_.board_seconds * measurements / config_.measurements;
  }
}

PlaceFile SearchEnvironment::FileOf(Place place) const {
  const std::optional<PlaceFile> file = FindFile(place);
  BITPILOT_CHECK(file);
  return *file;
}

std::optional<PlaceFile> SearchEnvironment::FindFile(Place place) const {
  const auto known = places_.find(place.after);
  if (known != places_.end()) return known->second;
  const auto ticket = std::find_if(tickets_.begin(), tickets_.end(), [&](const Ticket& each) {
    return IdOf(each.action) == place.after;
  });
  if (ticket == tickets_.end() || Trains(ticket->action)) return std::nullopt;
  return FindFile(FromOf(ticket->action));
}

Conditions SearchEnvironment::ConditionsNow() const {
  Conditions conditions{{}, totals_};
  for (const ClassId& on : classes_) conditions.slots[on] = boards_->Slots(on);
  return conditions;
}

Result<Observation> SearchEnvironment::ObserveConditions() {
  const Result<ConditionsEvent> event = journal_.Observe<ConditionsEvent>(
      [&] { return Result<ConditionsEvent>(ConditionsEvent{ConditionsNow()}); });
  if (!event.ok()) return event.status();
  view_.Observed(event->conditions);
  return Observation(event->conditions);
}

Result<Observation> SearchEnvironment::Live() {
  // That a search is extended is in the log before anything that its boards do: by that who reads the log
  // knows that it goes on.
  if (view_.conditions() && view_.conditions()->totals != totals_) return ObserveConditions();
  board_.LimitMissing(totals_.measurements);
  BITPILOT_RETURN_IF_ERROR(pools_.Step());
  if (!view_.conditions() || *view_.conditions() != ConditionsNow()) return ObserveConditions();
  while (true) {
    if (stop_()) return Stopped();
    BITPILOT_RETURN_IF_ERROR(journal_.Heartbeat());
    const auto needs_work = [](const Ticket& ticket) {
      if (std::holds_alternative<Trial>(ticket.action)) return !ticket.is_read;
      if (std::holds_alternative<Advance>(ticket.action)) return !ticket.place;
      return !ticket.divergence;
    };
    Result<std::vector<StepBoard::Part>> measured = board_.TakeAnswers();
    if (!measured.ok()) return measured.status();
    NoteMeasured(*measured);
    BITPILOT_RETURN_IF_ERROR(pools_.Step());
    const auto complete = std::find_if(tickets_.begin(), tickets_.end(), [&](const Ticket& each) {
      return !needs_work(each) && each.is_measured();
    });
    if (complete != tickets_.end()) return Answer(complete);
    const auto to_do = std::find_if(tickets_.begin(), tickets_.end(), needs_work);
    // On this machine a candidate is read before it is measured, with nothing beside it.
    const bool shares_this_machine = boards_->SharesThisMachine();
    if (!shares_this_machine) BITPILOT_RETURN_IF_ERROR(FeedBoards());
    if (to_do != tickets_.end() && !(shares_this_machine && board_.awaits_answers())) {
      BITPILOT_RETURN_IF_ERROR(Work(*to_do));
      continue;
    }
    BITPILOT_RETURN_IF_ERROR(FeedBoards());
    // Of boards that are compared alone, where a candidate is yet to be read.
    BITPILOT_CHECK(board_.awaits_answers());
    measured = board_.WaitForAnswers();
    if (!measured.ok()) return measured.status();
    NoteMeasured(*measured);
  }
}

void SearchEnvironment::NoteMeasured(const std::vector<StepBoard::Part>& parts) {
  for (const auto& [step, on] : parts) {
    for (Ticket& ticket : tickets_) {
      if (ticket.step == step) ticket.measuring.erase(on);
    }
  }
}

Status SearchEnvironment::FeedBoards() {
  const bool reads_first = boards_->SharesThisMachine();
  for (const ClassId& on : classes_) {
    for (Ticket& ticket : tickets_) {
      if (!ticket.waits.contains(on) || (reads_first && !ticket.is_read)) continue;
      if (board_.NumMeasuring(on) >= boards_->MaxStarted(on)) break;
      BITPILOT_RETURN_IF_ERROR(FeedBoard(ticket, on));
    }
  }
  return Status();
}

Status SearchEnvironment::FeedBoard(Ticket& ticket, const ClassId& on) {
  const BitAssignment assignment =
      ToAssignment(problem_, std::get<Trial>(ticket.action).what.choice);
  // What one class measures stays where it is until all are done.
  if (!ticket.read && !ticket.for_timing) {
    Result<Network> network = training_.ExportForTiming(FileOf({0}), assignment);
    if (!network.ok()) return network.status();
    ticket.for_timing = std::move(*network);
  }
  BITPILOT_RETURN_IF_ERROR(board_.Start(
      ticket.step, on, assignment, ticket.for_timing ? *ticket.for_timing : ticket.read->network));
  ticket.waits.erase(on);
  ticket.measuring.insert(on);
  return Status();
}

Status SearchEnvironment::Work(Ticket& ticket) {
  if (const auto* trial = std::get_if<Trial>(&ticket.action)) return WorkOnTrial(*trial, ticket);
  if (const auto* advance = std::get_if<Advance>(&ticket.action)) {
    return WorkOnAdvance(*advance, ticket);
  }
  const auto& probe = std::get<Probe>(ticket.action);
  std::vector<BitAssignment> assignments;
  for (const Choice& choice : probe.choices) {
    assignments.push_back(ToAssignment(problem_, choice));
  }
  Result<std::vector<std::optional<double>>> divergence =
      training_.Divergences(FileOf(probe.from), assignments);
  if (!divergence.ok()) return divergence.status();
  ticket.divergence = std::move(*divergence);
  return Status();
}

Status SearchEnvironment::WorkOnTrial(const Trial& trial, Ticket& ticket) {
  const BitAssignment assignment = ToAssignment(problem_, trial.what.choice);
  const PlaceFile from = FileOf(trial.from);
  const bool was_trained = ticket.place.has_value();
  PlacedTraining::Trained trained{from.file, std::nullopt, false};
  if (was_trained) {
    trained = {{ticket.place->sha256, ticket.place->file}, std::nullopt, ticket.place->diverged};
  } else {
    Result<PlacedTraining::Trained> result = training_.Train(from, assignment, trial.train);
    if (!result.ok()) return result.status();
    trained = std::move(*result);
  }
  if (!trained.diverged) {
    const int depth = from.depth + trial.train.batches;
    const PlaceFile at{trained.file, depth,
                       from.widths.After(trial.what.choice, trial.train.batches)};
    Result<std::optional<ScoredNetwork>> read = training_.Read(at, assignment);
    if (!read.ok()) return read.status();
    ticket.read = std::move(*read);
    if (ticket.read && !twin_.empty()) {
      ticket.read->score.excess_error = twin_.ExcessError(ticket.read->losses, depth);
      Result<std::optional<SameWeights>> same =
          same_weights_.Read(trial.what.choice, *ticket.read, at);
      if (!same.ok()) return same.status();
      ticket.read->score.same_weights = std::move(*same);
    }
    // Weights that are finite and give a loss that is not have diverged, too.
    if (!ticket.read && Trains(ticket.action)) {
      if (trained.file != from.file) files_.Remove(trained.file);
      trained = {from.file, std::nullopt, true};
    }
  }
  ticket.is_read = true;
  if (was_trained || !Trains(ticket.action)) return Status();
  return LogPlace(ticket, trial.id, std::move(trained));
}

Status SearchEnvironment::WorkOnAdvance(const Advance& advance, Ticket& ticket) {
  Result<PlacedTraining::Trained> trained = training_.Train(
      FileOf(advance.from), ToAssignment(problem_, advance.what.choice), advance.train);
  if (!trained.ok()) return trained.status();
  return LogPlace(ticket, advance.id, std::move(*trained));
}

Status SearchEnvironment::LogPlace(Ticket& ticket, TicketId id, PlacedTraining::Trained trained) {
  const Result<PlaceEvent> event = journal_.Observe<PlaceEvent>([&] {
    return Result<PlaceEvent>(PlaceEvent{id, trained.file.sha256, trained.file.file,
                                         trained.train_loss, trained.diverged});
  });
  if (!event.ok()) return event.status();
  places_[id] = Left(ticket.action, *event);
  ticket.place = *event;
  return Status();
}

PlaceFile SearchEnvironment::Left(const Action& action, const PlaceEvent& event) const {
  PlaceFile place = FileOf(FromOf(action));
  place.file = {event.sha256, event.file};
  if (event.diverged) return place;
  const int batches = PaceOf(action)->batches;
  place.depth += batches;
  place.widths = place.widths.After(WhatOf(action).choice, batches);
  return place;
}

Result<Observation> SearchEnvironment::Answer(TicketList::iterator ticket) {
  if (std::holds_alternative<Advance>(ticket->action)) {
    const Result<AdvancedEvent> event = journal_.Observe<AdvancedEvent>([&] {
      return Result<AdvancedEvent>(
          AdvancedEvent{{IdOf(ticket->action), ProgressOf(*ticket), ticket->place->train_loss}});
    });
    if (!event.ok()) return event.status();
    return Settle(ticket, event->advanced);
  }
  if (std::holds_alternative<Probe>(ticket->action)) {
    Result<ProbedEvent> event = journal_.Observe<ProbedEvent>([&] {
      return Result<ProbedEvent>(ProbedEvent{{IdOf(ticket->action), *ticket->divergence}});
    });
    if (!event.ok()) return event.status();
    return Settle(ticket, std::move(event->probed));
  }
  Result<TransitionEvent> event =
      journal_.Observe<TransitionEvent>([&]() -> Result<TransitionEvent> {
        if (!ticket->read) return Conclude(*ticket, std::nullopt, /*network_sha256=*/{});
        const Result<StoredFile> file =
            files_.Put(StudyFileKind::kNetwork, SerializeNetwork(ticket->read->network));
        if (!file.ok()) return file.status();
        return Conclude(*ticket, ticket->read->score, file->sha256);
      });
  if (!event.ok()) return event.status();
  return TakeTransition(ticket, std::move(*event));
}

Progress SearchEnvironment::ProgressOf(const Ticket& ticket) const {
  const int depth = FileOf(FromOf(ticket.action)).depth;
  const bool trained = Trains(ticket.action) && !ticket.place->diverged;
  return {trained ? depth + PaceOf(ticket.action)->batches : depth, ticket.spent};
}

Result<TransitionEvent> SearchEnvironment::Conclude(const Ticket& ticket,
                                                    const std::optional<Scored>& score,
                                                    const std::string& network_sha256) const {
  const Trial& trial = std::get<Trial>(ticket.action);
  TransitionEvent event;
  event.step = ticket.step;
  event.ticket = trial.id;
  event.at = ProgressOf(ticket);
  const bool diverged = ticket.place && ticket.place->diverged;
  if (ticket.place) event.train_loss = ticket.place->train_loss;
  if (score && !diverged) {
    event.score = score;
    event.network_sha256 = network_sha256;
    if (event.at.depth == 0 || problem_.final_batches == 0) event.score->same_weights.reset();
    if (event.score->same_weights) {
      const PlaceFile at = ticket.place ? FileOf({trial.id}) : FileOf(trial.from);
      event.score->same_weights->own_share = at.widths.OwnShare(trial.what.choice);
    }
  }
  for (const ClassId& on : trial.classes) {
    const int rows_of_step = ticket.rows_of_step.at(on);
    Result<ClassOutcome> outcome = board_.OutcomeOf(rows_of_step, on);
    if (!outcome.ok()) return outcome.status();
    if (auto* away = std::get_if<BoardUnavailable>(&outcome->result)) {
      const Result<double> predicted = PredictedRatio(on, trial.what.choice);
      if (!predicted.ok()) return predicted.status();
      away->predicted_ratio = *predicted;
    }
    // What was measured before costs no more time.
    if (rows_of_step != ticket.step) outcome->board_seconds = 0.0;
    event.classes.push_back(std::move(*outcome));
  }
  event.transition = ToTransition(problem_, trial, event.Outcome());
  return event;
}

Result<double> SearchEnvironment::PredictedRatio(const ClassId& on, const Choice& choice) const {
  SearchProblem there = problem_;
  const auto table = class_tables_.find(on);
  if (table != class_tables_.end()) there.table = table->second;
  const Result<CostModel> cost = CostModel::Create(there);
  if (!cost.ok()) return cost.status();
  return cost->LatencyRatio(choice);
}

Observation SearchEnvironment::TakeTransition(TicketList::iterator ticket, TransitionEvent event) {
  const Trial& trial = std::get<Trial>(ticket->action);
  if (!event.score) {
    failure_ =
        "training at these widths diverged (a loss or a weight is no finite number); the search "
        "goes on from the weights before it";
  }
  for (const ClassOutcome& outcome : event.classes) {
    if (std::holds_alternative<Measured>(outcome.result)) {
      const auto rows_of_step = ticket->rows_of_step.find(outcome.on);
      if (rows_of_step == ticket->rows_of_step.end()) continue;
      measured_as_.emplace(std::pair(trial.what.choice, outcome.on), rows_of_step->second);
    } else if (const auto* failed = std::get_if<CandidateFailed>(&outcome.result)) {
      failure_ = "not measured: " + failed->detail;
    } else if (const auto* away = std::get_if<BoardUnavailable>(&outcome.result)) {
      failure_ = "not measured, predicted: " + away->detail;
    }
  }
  TrialOutcome outcome = event.Outcome();
  answered_.Take(ToEvent(problem_, trial, ticket->step), std::move(event));
  return Settle(ticket, std::move(outcome));
}

Observation SearchEnvironment::Settle(TicketList::iterator ticket, Observation observation) {
  if (PaceOf(ticket->action) != nullptr) {
    const TicketId id = IdOf(ticket->action);
    const PlaceFile place = FileOf({id});
    places_.insert_or_assign(id, place);
  }
  tickets_.erase(ticket);
  view_.Observed(observation);
  DropPlaces();
  return observation;
}

// While the journal replays, files stay: who was interrupted before they were removed finds them here
// again.
void SearchEnvironment::DropPlaces() {
  for (auto place = places_.begin(); place != places_.end();) {
    if (view_.IsKept({place->first})) {
      ++place;
      continue;
    }
    dropped_.push_back(place->second.file);
    place = places_.erase(place);
  }
  if (!journal_.recording()) return;
  for (const StoredFile& file : std::exchange(dropped_, {})) {
    // Places without training between them share a file.
    const bool is_needed = std::any_of(places_.begin(), places_.end(),
                                       [&](const auto& each) { return each.second.file == file; });
    if (!is_needed && !file.file.empty()) files_.Remove(file);
  }
}

void SearchEnvironment::DropNetworks(std::vector<StoredFile> others) {
  others.push_back(uniform8_file_);
  answered_.DropNetworks(others, files_);
}

}  // namespace bitpilot
