// Random legal actions, and illegal ones of every kind, for tests of environments.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policies/environment.h"
#include "policies/random_stream.h"
#include "policies/view.h"
#include "tests/policies/random_choice.h"

namespace bitpilot {

// Places that an action may name.
inline std::vector<Place> KeptPlaces(const View& view) {
  std::vector<Place> places;
  for (TicketId id = 0; id < view.next_ticket(); ++id) {
    if (view.IsKept({id})) places.push_back({id});
  }
  return places;
}

template <typename T>
const T& RandomOf(const std::vector<T>& values, RandomStream& random) {
  return values[static_cast<std::size_t>(random.NextIndex(static_cast<int>(values.size())))];
}

// A choice within the budget of weight bytes, a third of the time one that was tried.
inline Choice RandomAllowedChoice(const View& view, RandomStream& random) {
  if (!view.answered().empty() && random.NextIndex(3) == 0) {
    return RandomOf(view.answered(), random).trial.what.choice;
  }
  const SearchProblem& problem = view.problem();
  for (int i = 0; i < 100; ++i) {
    Choice choice = RandomChoice(problem, random);
    const auto bytes = WeightBytes(problem.topology, ToAssignment(problem, choice));
    if (bytes <= problem.budgets.max_weight_bytes.value_or(bytes)) return choice;
  }
  return UniformChoice(problem, 1);
}

inline Pace RandomPace(const View& view, int max_batches, RandomStream& random) {
  const int most = std::min(max_batches, view.mini_batches_left());
  return {.batches = random.NextIndex(most + 1),
          .rate_begin = random.NextUniform(),
          .rate_end = random.NextUniform()};
}

// A trial, an advance or a probe from a random place; a trial asks every class that takes one more, or
// some of them.
inline Action RandomAction(const View& view, int max_batches, RandomStream& random) {
  const TicketId id = view.next_ticket();
  const Place from = RandomOf(KeptPlaces(view), random);
  const Candidate what{RandomAllowedChoice(view, random), Origin::kRandom, "random"};
  const Pace pace = RandomPace(view, max_batches, random);
  const int kind = random.NextIndex(6);
  if (kind == 0) {
    return Probe{id, {what.choice, RandomChoice(view.problem(), random)}, from};
  }
  if (kind == 1 && pace.batches > 0) return Advance{id, what, from, pace, random.NextIndex(3)};
  Trial trial{id, what, from, pace, {}, random.NextIndex(3)};
  for (const ClassId& on : view.Classes()) {
    trial.classes.push_back(on);
    const bool is_legal = view.Check(trial).ok();
    if (!is_legal || random.NextIndex(8) == 0) trial.classes.pop_back();
  }
  return trial;
}

// What View shows to be illegal now, with what is wrong about it. REQUIRES: Conditions have come.
inline std::vector<std::pair<std::string, Action>> IllegalActions(const View& view) {
  const SearchProblem& problem = view.problem();
  const TicketId id = view.next_ticket();
  const Choice narrow = UniformChoice(problem, 1);
  const Candidate what{narrow, Origin::kRandom, "illegal"};
  const Trial legal{id, what, {}, {}, {}, 0};
  std::vector<std::pair<std::string, Action>> illegal;
  const auto add = [&](const std::string& why, auto change) {
    Trial trial = legal;
    change(trial);
    illegal.emplace_back(why, trial);
  };
  add("the next ticket but one", [&](Trial& trial) { trial.id = id + 1; });
  add("the ticket before", [&](Trial& trial) { trial.id = id - 1; });
  add("a choice without widths", [](Trial& trial) { trial.what.choice.clear(); });
  add("a width that no variable has", [](Trial& trial) { trial.what.choice.front() = 99; });
  add("a place that is not there yet", [&](Trial& trial) { trial.from = {id}; });
  add("a place before the start", [](Trial& trial) { trial.from = {-1}; });
  add("less than no mini-batch", [](Trial& trial) { trial.train.batches = -1; });
  add("more mini-batches than are left",
      [&](Trial& trial) { trial.train.batches = view.mini_batches_left() + 1; });
  add("a rate above 1", [](Trial& trial) { trial.train.rate_begin = 1.5; });
  add("a rate below 0", [](Trial& trial) { trial.train.rate_end = -0.5; });
  add("a rate that is no number",
      [](Trial& trial) { trial.train.rate_end = std::numeric_limits<double>::quiet_NaN(); });
  add("an episode before the first", [](Trial& trial) { trial.episode = -1; });
  add("a class that there is not", [](Trial& trial) { trial.classes = {"no such class"}; });
  for (const auto& [on, slots] : view.conditions()->slots) {
    if (view.FreeSlots(on) > 1) {
      add("a class twice", [&, on = on](Trial& trial) { trial.classes = {on, on}; });
    }
    if (view.FreeSlots(on) == 0) {
      add("a class without a free slot", [&, on = on](Trial& trial) { trial.classes = {on}; });
    }
    if (view.measurements_left() == 0 && view.FindMeasured(narrow, on) == nullptr) {
      add("a measurement that is not left", [&, on = on](Trial& trial) { trial.classes = {on}; });
    }
  }
  if (problem.budgets.max_weight_bytes) {
    const Choice wide = UniformChoice(problem, 8);
    if (WeightBytes(problem.topology, ToAssignment(problem, wide)) >
        *problem.budgets.max_weight_bytes) {
      add("a choice beyond the budget of bytes", [&](Trial& trial) { trial.what.choice = wide; });
    }
  }
  for (TicketId old = 1; old < id; ++old) {
    if (!view.IsKept({old})) {
      add("a place that was dropped", [&](Trial& trial) { trial.from = {old}; });
      illegal.emplace_back("a stop where nothing is kept", Stop{{old}});
      break;
    }
  }
  illegal.emplace_back("an advance that trains nothing", Advance{id, what, {}, {}, 0});
  illegal.emplace_back("a probe of nothing", Probe{id, {}, {}});
  illegal.emplace_back("a probe of no legal choice", Probe{id, {narrow, {}}, {}});
  illegal.emplace_back("a probe from nowhere", Probe{id, {narrow}, {id}});
  illegal.emplace_back("a stop that is still to come", Stop{{id}});
  return illegal;
}

}  // namespace bitpilot
