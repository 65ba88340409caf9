// Acquisition: how much a choice is expected to add to the hypervolume of what was measured.
#pragma once

#include <cstddef>
#include <vector>

#include "policies/cost_model.h"
#include "policies/environment.h"
#include "policies/pareto.h"
#include "policies/search_problem.h"
#include "policies/surrogate.h"

namespace bitpilot {

// True if a measured outcome keeps the latency and accuracy budgets.
bool KeepsBudgets(const Budgets& budgets, const Objectives& outcome);

// Objectives of one measured transition. REQUIRES: status == kMeasured.
Objectives MeasuredObjectives(const SearchProblem& problem, const Transition& transition);

// Immutable. `cost` must outlive it.
class Acquisition {
 public:
  // Improvements are over the measured transitions of `history` that keep the budgets, within the
  // reference box; a box in which nothing was measured yet is widened to every error rate. A
  // latency budget that nothing measured has kept yet stands for "faster than anything so far".
  Acquisition(const SearchProblem& problem, const CostModel& cost,
              const std::vector<Transition>& history, std::vector<World> worlds);

  // Mean over the worlds of the area that `choice` would add; a world in which it breaks a budget,
  // or comes nearer to the latency budget than predictions are good for, counts 0.
  double ExpectedImprovement(const Choice& choice) const;

  // Indices into `history` of the front that is to be improved, by ascending latency.
  const std::vector<std::size_t>& front() const { return front_; }

 private:
  double Improvement(const Objectives& outcome) const;

  Budgets budgets_;
  Objectives reference_ = kHypervolumeReference;
  const CostModel& cost_;
  std::vector<World> worlds_;
  std::vector<std::size_t> front_;
  std::vector<Objectives> front_points_;  // inside the reference box, by ascending latency
};

}  // namespace bitpilot
