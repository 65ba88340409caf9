#include "agent/results/finalists.h"

#include <algorithm>

#include "agent/results/front.h"
#include "agent/results/reportable_trials.h"
#include "policies/observed_front.h"

namespace bitpilot {
namespace {

// Drops steps until at most `most` are left, each time the one that adds least hypervolume.
void Thin(const SearchProblem& problem, const std::vector<TransitionEvent>& transitions,
          std::size_t most, std::vector<std::size_t>& front) {
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
      const double left = hypervolume_without(step);
      if (left > most_left) {
        most_left = left;
        least = step;
      }
    }
    std::erase(front, least);
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
                                      bool with_uniform4, const std::vector<ClassId>& classes) {
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
  Thin(problem, transitions, kMaxFrontFinalists, front);
  int number = 0;
  for (const std::size_t step : front) add(FinalistRole::kFront, ++number, step);
  number = 0;
  for (std::size_t i = 0; classes.size() > 1 && i < classes.size(); ++i) {
    const ClassId& on = classes[i];
    const SearchProblem there = OnClass(problem, on);
    const std::vector<TransitionEvent> answers = OnClass(there, transitions);
    ReportableTrials own(there);
    own.Take(proposals, answers);
    std::vector<std::size_t> own_front = own.front();
    Thin(there, answers, kMaxClassFrontFinalists, own_front);
    for (const std::size_t step : own_front) {
      const auto known =
          std::find_if(finalists.begin(), finalists.end(), [&](const Finalist& each) {
            return each.step == static_cast<int>(step) &&
                   each.role != FinalistRole::kIntegerProgram;
          });
      const bool is_new = known == finalists.end();
      if (is_new) add(FinalistRole::kClassFront, ++number, step);
      (is_new ? finalists.back() : *known).fronts.push_back(on);
    }
  }
  return finalists;
}

}  // namespace bitpilot
