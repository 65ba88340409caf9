// Acquisition: how much a choice is expected to add to the hypervolume of what was measured.
#pragma once

#include <cstddef>
#include <vector>

#include "policies/cost_model.h"
#include "policies/observed_front.h"
#include "policies/pareto.h"
#include "policies/search_problem.h"
#include "policies/surrogate.h"

namespace bitpilot {

// Immutable. `cost` must outlive it.
class Acquisition {
 public:
  // Improvements are over the measured transitions that keep the budgets, within the
  // reference box; a box in which nothing was measured yet is widened to every error rate. A
  // latency (energy) budget that nothing measured has kept yet stands for "faster (thriftier) than
  // anything so far".
  Acquisition(const SearchProblem& problem, const CostModel& cost, const ObservedFront& measured,
              std::vector<World> worlds);

  // Mean over the worlds of the area (with an energy objective: the volume) that `choice` would
  // add; a world in which it breaks a budget, or comes nearer to the latency or energy budget than
  // predictions are good for, counts 0.
  double ExpectedImprovement(const Choice& choice) const;

  // Indices into the history of the front that is to be improved, by ascending latency.
  const std::vector<std::size_t>& front() const { return front_; }

 private:
  // Between two energies: the front of the measured outcomes that need no more than `begin`. One
  // slab of depth 1 where energy is no objective.
  struct Slab {
    double begin = 0.0;
    double end = 1.0;
    std::vector<Objectives> front;  // inside the reference box, by ascending latency
  };

  void BuildSlabs(const std::vector<Objectives>& outcomes, bool with_energy);
  double Improvement(const Objectives& outcome) const;
  double AddedArea(const Objectives& outcome, const Slab& slab) const;

  Budgets budgets_;
  Objectives reference_ = kHypervolumeReference;
  const CostModel& cost_;
  std::vector<World> worlds_;
  std::vector<std::size_t> front_;
  std::vector<Slab> slabs_;
};

}  // namespace bitpilot
