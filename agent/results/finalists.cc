#include "agent/results/finalists.h"

#include <algorithm>
#include <optional>
#include <set>

#include "agent/results/front.h"
#include "agent/results/reportable_trials.h"
#include "policies/observed_front.h"

namespace bitpilot {
namespace {

// Drops steps until at most `most` are left, each time the one that adds least hypervolume; but none of
// `named`. REQUIRES: these are at most `most`.
void Thin(const SearchProblem& problem, const std::vector<TransitionEvent>& transitions,
          std::size_t most, std::vector<std::size_t>& front,
          const std::vector<std::size_t>& named = {}) {
  const auto hypervolume_without = [&](std::size_t dropped) {
    std::vector<Objectives> rest;
    for (const std::size_t step : front) {
      if (step != dropped)
        rest.push_back(MeasuredObjectives(problem, transitions[step].transition));
    }
    return ObjectiveHypervolume(problem, rest);
  };
  while (front.size() > most) {
    std::size_t least = front.front();
    double most_left = -1.0;
    for (const std::size_t step : front) {
      if (std::find(named.begin(), named.end(), step) != named.end()) continue;
      const double left = hypervolume_without(step);
      if (left > most_left) {
        most_left = left;
        least = step;
      }
    }
    std::erase(front, least);
  }
}

// Where the search measured these, with the lowest error that it read: at most kMaxFrontFinalists.
std::vector<std::size_t> StepsOf(const std::vector<Choice>& named, const SearchProblem& problem,
                                 const std::vector<TransitionEvent>& transitions) {
  std::vector<std::size_t> steps;
  for (const Choice& choice : named) {
    if (steps.size() == kMaxFrontFinalists) break;
    std::optional<std::size_t> best;
    for (std::size_t step = 0; step < transitions.size(); ++step) {
      const Transition& transition = transitions[step].transition;
      if (transition.choice != choice || transition.status != TransitionStatus::kMeasured) continue;
      if (!best || MeasuredObjectives(problem, transition).error_rate <
                       MeasuredObjectives(problem, transitions[*best].transition).error_rate) {
        best = step;
      }
    }
    if (best) steps.push_back(*best);
  }
  return steps;
}

// The front with `named`, by ascending latency.
void AddNamed(const SearchProblem& problem, const std::vector<TransitionEvent>& transitions,
              const std::vector<std::size_t>& named, std::vector<std::size_t>& front) {
  std::set<Choice> choices;
  for (const std::size_t step : named) choices.insert(transitions[step].transition.choice);
  std::erase_if(front, [&](std::size_t step) {
    return choices.contains(transitions[step].transition.choice);
  });
  front.insert(front.end(), named.begin(), named.end());
  std::stable_sort(front.begin(), front.end(), [&](std::size_t a, std::size_t b) {
    return MeasuredObjectives(problem, transitions[a].transition).latency_ratio <
           MeasuredObjectives(problem, transitions[b].transition).latency_ratio;
  });
}

// Rows of each class's front that are not in the table yet; and whose front each found row is of.
void AddClassFronts(const SearchProblem& problem, const std::vector<ProposalEvent>& proposals,
                    const std::vector<TransitionEvent>& transitions,
                    const std::vector<ClassId>& classes, std::vector<Finalist>& finalists) {
  std::vector<std::vector<std::size_t>> fronts;  // parallel to `classes`, with all of their members
  int number = 0;
  for (const ClassId& on : classes) {
    const SearchProblem there = OnClass(problem, on);
    const std::vector<TransitionEvent> answers = OnClass(there, transitions);
    ReportableTrials own(there);
    own.Take(proposals, answers);
    fronts.push_back(own.front());
    std::vector<std::size_t> thinned = fronts.back();
    Thin(there, answers, kMaxClassFrontFinalists, thinned);
    for (const std::size_t step : thinned) {
      const bool is_known =
          std::any_of(finalists.begin(), finalists.end(), [&](const Finalist& each) {
            return IsFound(each.role) && each.step == static_cast<int>(step);
          });
      if (is_known) continue;
      finalists.push_back({FinalistRole::kClassFront, ++number,
                           ToAssignment(problem, transitions[step].transition.choice),
                           static_cast<int>(step)});
    }
  }
  for (Finalist& each : finalists) {
    if (!IsFound(each.role)) continue;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      const auto step = static_cast<std::size_t>(*each.step);
      if (std::find(fronts[i].begin(), fronts[i].end(), step) != fronts[i].end()) {
        each.fronts.push_back(classes[i]);
      }
    }
  }
}

}  // namespace

const Choice& AnswerToCompareWith(const Budgets& budgets, const IntegerProgramAnswers& program) {
  const std::vector<IntegerProgramAnswer>& answers = program.answers;
  if (answers.empty()) return program.fastest;
  // Where another budget stands for that of latency, the middle answer is the one at it.
  if (!budgets.max_latency_ratio) return answers[(answers.size() - 1) / 2].choice;
  // The limit at the budget itself was computed, and may be a rounding above it.
  const double budget = *budgets.max_latency_ratio * (1.0 + 1e-9);
  const Choice* best = &program.fastest;
  for (const IntegerProgramAnswer& answer : answers) {
    if (answer.max_latency_ratio <= budget) best = &answer.choice;
  }
  return *best;
}

std::vector<Finalist> ChooseFinalists(const SearchProblem& problem,
                                      const std::vector<ProposalEvent>& proposals,
                                      const std::vector<TransitionEvent>& transitions,
                                      const std::optional<IntegerProgramAnswers>& program,
                                      bool with_uniform4, const std::vector<ClassId>& classes,
                                      const std::vector<Choice>& named) {
  const Topology& topology = problem.topology;
  std::vector<Finalist> finalists = {
      {FinalistRole::kUniform8, 0, UniformAssignment(topology, 8, 8), std::nullopt}};
  if (with_uniform4) {
    finalists.push_back(
        {FinalistRole::kUniform4, 0, UniformAssignment(topology, 4, 4), std::nullopt});
  }
  const auto add = [&](FinalistRole role, int number, std::size_t step) {
    finalists.push_back({role, number, ToAssignment(problem, transitions[step].transition.choice),
                         static_cast<int>(step)});
  };
  ReportableTrials reportable(problem);
  reportable.Take(proposals, transitions);
  if (const auto ilp = reportable.best_of_program()) {
    add(FinalistRole::kIntegerProgram, 0, *ilp);
  } else if (program) {
    const Choice& choice = AnswerToCompareWith(problem.budgets, *program);
    finalists.push_back(
        {FinalistRole::kIntegerProgram, 0, ToAssignment(problem, choice), std::nullopt});
  }
  std::vector<std::size_t> front = reportable.front();
  const std::vector<std::size_t> named_steps = StepsOf(named, problem, transitions);
  if (!named_steps.empty()) AddNamed(problem, transitions, named_steps, front);
  Thin(problem, transitions, kMaxFrontFinalists, front, named_steps);
  int number = 0;
  for (const std::size_t step : front) add(FinalistRole::kFront, ++number, step);
  if (classes.size() > 1) AddClassFronts(problem, proposals, transitions, classes, finalists);
  return finalists;
}

}  // namespace bitpilot
