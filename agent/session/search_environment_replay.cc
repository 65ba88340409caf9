// The part of SearchEnvironment that answers from the log.
#include <algorithm>
#include <utility>

#include "agent/session/search_environment.h"
#include "policies/actions.h"

namespace bitpilot {

Result<std::optional<Observation>> SearchEnvironment::Replay() {
  const auto one = [](Result<Observation> observation) -> Result<std::optional<Observation>> {
    if (!observation.ok()) return observation.status();
    return std::optional(std::move(*observation));
  };
  while (journal_.replaying()) {
    if (pools_.IsNext()) {
      BITPILOT_RETURN_IF_ERROR(pools_.ReplayNext(trusts_log_));
      continue;
    }
    const std::string_view kind = journal_.next_kind();
    if (kind == ConditionsEvent::kKind) return one(ReplayConditions());
    if (kind == AdvancedEvent::kKind) return one(ReplayAdvanced());
    if (kind == ProbedEvent::kKind) return one(ReplayProbed());
    if (kind == MeasurementEvent::kKind) {
      const Result<MeasurementEvent> event = journal_.Take<MeasurementEvent>();
      if (!event.ok()) return event.status();
      board_.NoteLogged(*event);
    } else if (kind == MissingEvent::kKind) {
      const Result<MissingEvent> event = journal_.Take<MissingEvent>();
      if (!event.ok()) return event.status();
      board_.NoteMissing(*event);
    } else if (kind == PlaceEvent::kKind) {
      BITPILOT_RETURN_IF_ERROR(ReplayPlace());
    } else {
      return one(ReplayTransition());  // names whatever else it is
    }
  }
  return std::optional<Observation>();
}

Result<Observation> SearchEnvironment::ReplayConditions() {
  const Result<ConditionsEvent> event = journal_.Take<ConditionsEvent>();
  if (!event.ok()) return event.status();
  totals_ = event->conditions.totals;
  view_.Observed(event->conditions);
  return Observation(event->conditions);
}

Status SearchEnvironment::ReplayPlace() {
  const Result<PlaceEvent> event = journal_.Take<PlaceEvent>();
  if (!event.ok()) return event.status();
  const Result<TicketList::iterator> ticket = Find(event->ticket);
  if (!ticket.ok()) return ticket.status();
  BITPILOT_RETURN_IF_ERROR(CheckBeginning(**ticket));
  if (!Trains((*ticket)->action) || (*ticket)->place) {
    return DataCorrupt("seq " + std::to_string(journal_.seq()) + ": ticket " +
                       std::to_string(event->ticket) + " leaves no place, or left one already");
  }
  const PlaceFile from = FileOf(FromOf((*ticket)->action));
  PlaceEvent again = *event;
  again.file = StudyFileName(StudyFileKind::kCheckpoint, event->sha256);
  if (event->diverged) {
    again.sha256 = from.file.sha256;
    again.train_loss.reset();
  } else if (!event->train_loss) {
    return DataCorrupt("seq " + std::to_string(journal_.seq()) +
                       ": a training that did not diverge has no loss");
  }
  if (!trusts_log_) BITPILOT_RETURN_IF_ERROR(journal_.CheckTaken(*event, again));
  (*ticket)->place = *event;
  places_[event->ticket] = Left((*ticket)->action, *event);
  return Status();
}

Result<Observation> SearchEnvironment::ReplayTransition() {
  Result<TransitionEvent> event = journal_.Take<TransitionEvent>();
  if (!event.ok()) return event.status();
  const Result<TicketList::iterator> ticket = Find(event->ticket);
  if (!ticket.ok()) return ticket.status();
  BITPILOT_RETURN_IF_ERROR(CheckBeginning(**ticket));
  if (!std::holds_alternative<Trial>((*ticket)->action) ||
      (Trains((*ticket)->action) && !(*ticket)->place)) {
    return DataCorrupt("seq " + std::to_string(journal_.seq()) + ": ticket " +
                       std::to_string(event->ticket) + " is no trial, or has no place yet");
  }
  if (!trusts_log_) {
    const Result<TransitionEvent> again = Conclude(**ticket, event->score, event->network_sha256);
    if (!again.ok()) {
      return again.status().WithContext("seq " + std::to_string(journal_.seq()));
    }
    BITPILOT_RETURN_IF_ERROR(journal_.CheckTaken(*event, *again));
  }
  return TakeTransition(*ticket, std::move(*event));
}

Result<Observation> SearchEnvironment::ReplayAdvanced() {
  const Result<AdvancedEvent> event = journal_.Take<AdvancedEvent>();
  if (!event.ok()) return event.status();
  const Result<TicketList::iterator> ticket = Find(event->advanced.id);
  if (!ticket.ok()) return ticket.status();
  BITPILOT_RETURN_IF_ERROR(CheckBeginning(**ticket));
  if (!std::holds_alternative<Advance>((*ticket)->action) || !(*ticket)->place) {
    return DataCorrupt("seq " + std::to_string(journal_.seq()) + ": ticket " +
                       std::to_string(event->advanced.id) + " is no advance, or has no place yet");
  }
  const AdvancedEvent again{
      {event->advanced.id, ProgressOf(**ticket), (*ticket)->place->train_loss}};
  BITPILOT_RETURN_IF_ERROR(journal_.CheckTaken(*event, again));
  return Settle(*ticket, event->advanced);
}

Result<Observation> SearchEnvironment::ReplayProbed() {
  Result<ProbedEvent> event = journal_.Take<ProbedEvent>();
  if (!event.ok()) return event.status();
  const Result<TicketList::iterator> ticket = Find(event->probed.id);
  if (!ticket.ok()) return ticket.status();
  const auto* probe = std::get_if<Probe>(&(*ticket)->action);
  if (probe == nullptr || probe->choices.size() != event->probed.divergence.size()) {
    return DataCorrupt("seq " + std::to_string(journal_.seq()) + ": ticket " +
                       std::to_string(event->probed.id) + " did not probe so many networks");
  }
  return Settle(*ticket, std::move(event->probed));
}

Status SearchEnvironment::CheckBeginning(const Ticket& ticket) const {
  const Place from = FromOf(ticket.action);
  if (FindFile(from)) return Status();
  return DataCorrupt("seq " + std::to_string(journal_.seq()) + ": the place after ticket " +
                     std::to_string(from.after) + ", which it begins from, is not there yet");
}

Result<SearchEnvironment::TicketList::iterator> SearchEnvironment::Find(TicketId id) {
  const auto ticket = std::find_if(tickets_.begin(), tickets_.end(),
                                   [&](const Ticket& each) { return IdOf(each.action) == id; });
  if (ticket != tickets_.end()) return ticket;
  return DataCorrupt("seq " + std::to_string(journal_.seq()) + ": ticket " + std::to_string(id) +
                     " is not in flight there");
}

}  // namespace bitpilot
