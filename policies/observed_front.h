// ObservedFront: what a decision needs of all transitions so far to say what another one would add.
// Brought up to date as they come, so that a decision takes as long late in a search as early.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "policies/pareto.h"
#include "policies/search_problem.h"
#include "policies/transition.h"

namespace bitpilot {

// The energy ratio that problem.energy_objective asks for, if the transition has it.
std::optional<double> ObjectiveEnergy(const SearchProblem& problem, const Transition& transition);

// True if the transition has every objective of the problem: a latency, and an energy where that is
// one.
bool HasObjectives(const SearchProblem& problem, const Transition& transition);

// True if an outcome keeps every budget that was given. weight_bytes: 0 where size is not asked for.
bool KeepsBudgets(const Budgets& budgets, const Objectives& outcome, std::int64_t weight_bytes = 0);

// Of the problem's objectives: EnergyHypervolume() where energy is one, else Hypervolume().
double ObjectiveHypervolume(const SearchProblem& problem, std::span<const Objectives> points);

// Objectives of one measured transition. REQUIRES: HasObjectives().
Objectives MeasuredObjectives(const SearchProblem& problem, const Transition& transition);

class ObservedFront {
 public:
  // `problem` must outlive the object.
  explicit ObservedFront(const SearchProblem& problem) : problem_(problem) {}

  // Takes the transitions of `history` that it has not taken yet. REQUIRES: a history that grew.
  void Take(const std::vector<Transition>& history);

  // Of the measured transitions that keep the budgets, those that no other one dominates.
  const GrowingFront& front() const { return front_; }
  // Lowest ratios of all measured transitions, whatever they keep; infinite before the first.
  double fastest() const { return fastest_; }
  double thriftiest() const { return thriftiest_; }

 private:
  const SearchProblem& problem_;
  std::size_t num_taken_ = 0;
  GrowingFront front_;  // indices into the history
  double fastest_ = std::numeric_limits<double>::infinity();
  double thriftiest_ = std::numeric_limits<double>::infinity();
};

}  // namespace bitpilot
