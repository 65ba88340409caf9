// TargetUtility: what the losses of the networks that a search may end with are worth.
//
//   with a budget of latency or energy   - the lowest loss among those that keep it
//   without                              hypervolume of all in (error, latency), as the report's, with
//                                        an energy objective over the mean of latency and energy
//
// A target counts a standard deviation of its cost above it: of the measurement's, which is small, or of
// the prediction's where it was never measured, so that measuring it is worth something. A target that misses a budget loses a nat
// and more: where none keeps it, the one that misses it least is wanted.
#pragma once

#include <cstddef>
#include <vector>

#include "policies/search_problem.h"
#include "policies/surrogate.h"

namespace bitpilot {

// Ratios to uniform 8 bit; deviations are what is not known of them.
struct TargetCost {
  double latency = 0.0;
  double latency_deviation = 0.0;
  double energy = 0.0;  // 0 where it is no objective
  double energy_deviation = 0.0;
};

// True if the search wants one network, within a budget, and not a front.
bool HasCostBudget(const SearchProblem& problem);

class TargetUtility {
 public:
  // link: from excess losses to error rates. costs: [targets].
  TargetUtility(const SearchProblem& problem, const ErrorLink& link, std::vector<TargetCost> costs);

  // losses: excess loss of each target, nats, [targets].
  double operator()(const std::vector<double>& losses) const;

  // As if `target` were measured, `z` standard deviations above its prediction.
  TargetUtility IfMeasured(std::size_t target, double z) const;

  const std::vector<TargetCost>& costs() const { return costs_; }

 private:
  void Prepare();
  double LowestWithin(const std::vector<double>& losses) const;
  double Hypervolume(const std::vector<double>& losses) const;

  Budgets budgets_;
  bool has_energy_ = false;
  ErrorLink link_;
  std::vector<TargetCost> costs_;
  std::vector<double> penalty_;     // nats, [targets]
  std::vector<double> price_;       // latency, or its mean with energy, [targets]
  std::vector<std::size_t> order_;  // targets by ascending price
};

// Which of `among`, positions of targets, add to the utility: first the one that adds most to what there is
// without any of them, then the one that adds most to both, and so on. At most `count`, each adding more
// than `least`. losses: excess loss of each target at the end, nats, [targets].
std::vector<std::size_t> WhatAddsMost(const TargetUtility& utility,
                                      const std::vector<double>& losses,
                                      std::vector<std::size_t> among, std::size_t count,
                                      double least);

}  // namespace bitpilot
