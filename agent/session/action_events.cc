#include "agent/session/action_events.h"

#include <type_traits>
#include <utility>

namespace bitpilot {
namespace {

AdvanceEvent ToEvent(const SearchProblem& problem, const Advance& advance) {
  AdvanceEvent event;
  event.ticket = advance.id;
  event.choice = advance.what.choice;
  event.assignment_id = AssignmentId(ToAssignment(problem, advance.what.choice));
  event.reason = advance.what.reason;
  event.origin = advance.what.origin;
  event.figures = advance.what.figures;
  event.from = advance.from.after;
  event.pace = advance.train;
  event.episode = advance.episode;
  return event;
}

Result<Action> ToAction(ProposalEvent event) {
  return Action(
      Trial{.id = event.ticket,
            .what = {std::move(event.choice), event.origin, std::move(event.reason), event.figures},
            .from = {event.from},
            .train = event.pace,
            .classes = std::move(event.classes),
            .episode = event.episode});
}
Result<Action> ToAction(AdvanceEvent event) {
  return Action(Advance{
      .id = event.ticket,
      .what = {std::move(event.choice), event.origin, std::move(event.reason), event.figures},
      .from = {event.from},
      .train = event.pace,
      .episode = event.episode});
}
Result<Action> ToAction(ProbeEvent event) {
  return Action(Probe{event.ticket, std::move(event.choices), {event.from}});
}
Result<Action> ToAction(StopEvent event) {
  return Action(Stop{{event.at}, std::move(event.finalists)});
}

template <typename Event>
Result<Action> TakeOne(Journal& journal) {
  Result<Event> event = journal.Take<Event>();
  if (!event.ok()) return event.status();
  return ToAction(std::move(*event));
}

}  // namespace

ProposalEvent ToEvent(const SearchProblem& problem, const Trial& trial, int step) {
  ProposalEvent event;
  event.step = step;
  event.choice = trial.what.choice;
  event.assignment_id = AssignmentId(ToAssignment(problem, trial.what.choice));
  event.reason = trial.what.reason;
  event.origin = trial.what.origin;
  event.figures = trial.what.figures;
  event.ticket = trial.id;
  event.from = trial.from.after;
  event.pace = trial.train;
  event.classes = trial.classes;
  event.episode = trial.episode;
  return event;
}

Status DecideAction(Journal& journal, const SearchProblem& problem, const Action& action,
                    int step) {
  return std::visit(
      [&](const auto& each) {
        using T = std::decay_t<decltype(each)>;
        if constexpr (std::is_same_v<T, Trial>) {
          return journal.Decide(ToEvent(problem, each, step));
        } else if constexpr (std::is_same_v<T, Advance>) {
          return journal.Decide(ToEvent(problem, each));
        } else if constexpr (std::is_same_v<T, Probe>) {
          return journal.Decide(ProbeEvent{each.id, each.choices, each.from.after});
        } else {
          return journal.Decide(StopEvent{each.at.after, each.finalists});
        }
      },
      action);
}

bool IsActionKind(std::string_view kind) {
  return kind == ProposalEvent::kKind || kind == AdvanceEvent::kKind || kind == ProbeEvent::kKind ||
         kind == StopEvent::kKind;
}

Result<Action> TakeAction(Journal& journal) {
  const std::string_view kind = journal.next_kind();
  if (kind == ProposalEvent::kKind) return TakeOne<ProposalEvent>(journal);
  if (kind == AdvanceEvent::kKind) return TakeOne<AdvanceEvent>(journal);
  if (kind == ProbeEvent::kKind) return TakeOne<ProbeEvent>(journal);
  return TakeOne<StopEvent>(journal);
}

}  // namespace bitpilot
