// SearchLog: what a search saw and did, event by event. Enough to repeat every decision, and to go on
// from any event.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policies/environment.h"
#include "policies/policy.h"
#include "policies/view.h"

namespace bitpilot {

// An observation, and what the policy did on it.
struct SearchEvent {
  Observation observation;
  std::vector<Action> actions;
  std::vector<TicketId> keeps;
  std::string saved;  // the policy's state then
};

using SearchLog = std::vector<SearchEvent>;

// Everything in an action, floating point numbers to the last bit.
inline std::string ToText(const Action& action) {
  const auto number = [](double value) {
    char text[40];
    std::snprintf(text, sizeof text, " %a", value);
    return std::string(text);
  };
  const auto widths = [](const Choice& choice) {
    std::string text = " [";
    for (const int width : choice) text += std::to_string(width);
    return text + "]";
  };
  const auto training = [&](const auto& any) {
    return std::to_string(any.id) + widths(any.what.choice) + " " +
           std::string(ToString(any.what.origin)) + " (" + any.what.reason + ") from " +
           std::to_string(any.from.after) + " x" + std::to_string(any.train.batches) +
           number(any.train.rate_begin) + number(any.train.rate_end) + " episode " +
           std::to_string(any.episode);
  };
  if (const auto* trial = std::get_if<Trial>(&action)) {
    std::string text = "trial " + training(*trial);
    for (const ClassId& on : trial->classes) text += " " + on;
    return text;
  }
  if (const auto* advance = std::get_if<Advance>(&action)) return "advance " + training(*advance);
  if (const auto* probe = std::get_if<Probe>(&action)) {
    std::string text = "probe " + std::to_string(probe->id);
    for (const Choice& choice : probe->choices) text += widths(choice);
    return text + " from " + std::to_string(probe->from.after);
  }
  const Stop& stop = std::get<Stop>(action);
  std::string text = "stop at " + std::to_string(stop.at.after);
  for (const Choice& choice : stop.finalists) text += widths(choice);
  return text;
}

// One line an action; what is kept last.
inline std::string ToText(const std::vector<Action>& actions, const std::vector<TicketId>& keeps) {
  std::string text;
  for (const Action& action : actions) text += ToText(action) + "\n";
  text += "keeps";
  for (const TicketId place : keeps) text += " " + std::to_string(place);
  return text;
}

// A policy with the view that it gets, driven by a log or by an environment.
class PolicyDriver {
 public:
  PolicyDriver(const SearchProblem& problem, Policy& policy) : view_(problem), policy_(policy) {}

  const View& view() const { return view_; }

  // The search has come to its end: nothing is in flight, and the policy stopped or had nothing to do.
  bool is_over() const {
    return view_.conditions() && view_.in_flight().empty() && (view_.stopped_at() || is_idle_);
  }

  // Shows the policy an observation without asking it.
  void Observe(const Observation& observation) {
    view_.Observed(observation);
    policy_.Observe(view_, observation);
  }

  // Takes over what the policy did then.
  void Repeat(const SearchEvent& event) {
    view_.Keep(event.keeps);
    for (const Action& action : event.actions) view_.Submitted(action);
    is_idle_ = event.actions.empty();
  }

  // Asks the policy. keep: called with what it keeps, before submit is with each action in turn.
  SearchEvent Act(const Observation& observation,
                  const std::function<void(const std::vector<TicketId>&)>& keep,
                  const std::function<Status(const Action&)>& submit) {
    SearchEvent event{observation, {}, {}, {}};
    if (!view_.stopped_at()) event.actions = policy_.Act(view_);
    event.keeps = policy_.Keeps();
    view_.Keep(event.keeps);
    keep(event.keeps);
    for (const Action& action : event.actions) {
      const Status status = view_.Check(action);
      EXPECT_TRUE(status.ok()) << status.message();
      if (!status.ok()) break;
      EXPECT_TRUE(submit(action).ok());
      view_.Submitted(action);
    }
    event.saved = policy_.Save();
    is_idle_ = event.actions.empty();
    return event;
  }

 private:
  View view_;
  Policy& policy_;
  bool is_idle_ = false;
};

// Searches to the end. go_on: called there; the search goes on while it returns true, which it may
// once the environment has other Conditions to tell.
inline SearchLog RunSearch(
    Policy& policy, Environment& environment,
    const std::function<bool()>& go_on = [] { return false; }) {
  PolicyDriver driver(environment.problem(), policy);
  SearchLog log;
  int interruptions = 0;
  while (!driver.is_over() || go_on()) {
    const std::optional<Observation> observation = environment.Next();
    if (!observation) {
      EXPECT_LT(++interruptions, 100'000);
      if (interruptions >= 100'000) break;
      continue;
    }
    driver.Observe(*observation);
    log.push_back(driver.Act(
        *observation, [&](const std::vector<TicketId>& places) { environment.Keep(places); },
        [&](const Action& action) { return environment.Submit(action); }));
    EXPECT_LT(log.size(), 100'000U);
    if (log.size() >= 100'000U) break;
  }
  return log;
}

// Decides the events from `first` to before `last` again, after those before them were shown to
// `policy` and it took over what the last of those saved.
//
// Returns what was decided otherwise first, in words; empty if nothing was.
inline std::string FirstOtherDecision(Policy& policy, const SearchProblem& problem,
                                      const SearchLog& log, std::size_t first, std::size_t last) {
  PolicyDriver driver(problem, policy);
  for (std::size_t i = 0; i < first; ++i) {
    driver.Observe(log[i].observation);
    driver.Repeat(log[i]);
  }
  if (first > 0) {
    const Status loaded = policy.Load(log[first - 1].saved);
    if (!loaded.ok()) return loaded.message();
  }
  for (std::size_t i = first; i < last; ++i) {
    driver.Observe(log[i].observation);
    const SearchEvent event = driver.Act(
        log[i].observation, [](const std::vector<TicketId>&) {},
        [](const Action&) { return Status(); });
    const std::string expected = ToText(log[i].actions, log[i].keeps) + "\n" + log[i].saved;
    const std::string decided = ToText(event.actions, event.keeps) + "\n" + event.saved;
    if (decided != expected) {
      return "event " + std::to_string(i) + ", after event " + std::to_string(first) +
             ": expected\n" + expected + "\ndecided\n" + decided;
    }
  }
  return "";
}

// The trials of a log, in the order of submission.
inline std::vector<Trial> TrialsOf(const SearchLog& log) {
  std::vector<Trial> trials;
  for (const SearchEvent& event : log) {
    for (const Action& action : event.actions) {
      if (const auto* trial = std::get_if<Trial>(&action)) trials.push_back(*trial);
    }
  }
  return trials;
}

}  // namespace bitpilot
