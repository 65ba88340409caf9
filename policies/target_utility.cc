#include "policies/target_utility.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "policies/pareto.h"

namespace bitpilot {
namespace {

// Nats: of missing a budget at all, and of missing it by its own size.
constexpr double kMissed = 1.0;
constexpr double kMissedByAll = 10.0;

double Penalty(double ratio, const std::optional<double>& budget) {
  if (!budget || ratio <= *budget) return 0.0;
  return kMissed + kMissedByAll * (ratio / *budget - 1.0);
}

}  // namespace

bool HasCostBudget(const SearchProblem& problem) {
  return problem.budgets.max_latency_ratio || problem.budgets.max_energy_ratio;
}

TargetUtility::TargetUtility(const SearchProblem& problem, const ErrorLink& link,
                             std::vector<TargetCost> costs)
    : budgets_(problem.budgets),
      has_energy_(problem.energy_objective != EnergyObjective::kNone),
      link_(link),
      costs_(std::move(costs)) {
  Prepare();
}

void TargetUtility::Prepare() {
  penalty_.clear();
  price_.clear();
  for (const TargetCost& cost : costs_) {
    const double latency = cost.latency + cost.latency_deviation;
    const double energy = cost.energy + cost.energy_deviation;
    penalty_.push_back(Penalty(latency, budgets_.max_latency_ratio) +
                       (has_energy_ ? Penalty(energy, budgets_.max_energy_ratio) : 0.0));
    price_.push_back(has_energy_ ? 0.5 * (latency + energy) : latency);
  }
  order_.resize(costs_.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::stable_sort(order_.begin(), order_.end(),
                   [this](std::size_t a, std::size_t b) { return price_[a] < price_[b]; });
}

TargetUtility TargetUtility::IfMeasured(std::size_t target, double z) const {
  TargetUtility measured = *this;
  TargetCost& cost = measured.costs_[target];
  cost.latency += z * cost.latency_deviation;
  cost.energy += z * cost.energy_deviation;
  cost.latency_deviation = 0.0;
  cost.energy_deviation = 0.0;
  measured.Prepare();
  return measured;
}

double TargetUtility::operator()(const std::vector<double>& losses) const {
  const bool one = budgets_.max_latency_ratio || budgets_.max_energy_ratio;
  return one ? LowestWithin(losses) : Hypervolume(losses);
}

double TargetUtility::LowestWithin(const std::vector<double>& losses) const {
  double lowest = std::numeric_limits<double>::infinity();
  for (std::size_t j = 0; j < losses.size(); ++j) {
    lowest = std::min(lowest, losses[j] + penalty_[j]);
  }
  return -lowest;
}

double TargetUtility::Hypervolume(const std::vector<double>& losses) const {
  const double floor = budgets_.min_accuracy ? 1.0 - *budgets_.min_accuracy : 1.0;
  double area = 0.0;
  double ceiling = kHypervolumeReference.error_rate;
  for (const std::size_t j : order_) {
    if (price_[j] >= kHypervolumeReference.latency_ratio) break;
    const double error = std::max(0.0, link_.ErrorRate(losses[j]));
    if (error < ceiling && error <= floor) {
      area += (kHypervolumeReference.latency_ratio - price_[j]) * (ceiling - error);
      ceiling = error;
    }
  }
  return area;
}

std::vector<std::size_t> WhatAddsMost(const TargetUtility& utility,
                                      const std::vector<double>& losses,
                                      std::vector<std::size_t> among, std::size_t count,
                                      double least) {
  constexpr double kOutOfReach = 10.0;  // nats
  std::vector<double> with = losses;
  for (const std::size_t j : among) with[j] += kOutOfReach;
  std::vector<std::size_t> picked;
  double value = utility(with);
  while (picked.size() < count) {
    auto best = among.end();
    double highest = value + least;
    for (auto j = among.begin(); j != among.end(); ++j) {
      with[*j] = losses[*j];
      const double value_with = utility(with);
      with[*j] += kOutOfReach;
      if (value_with > highest) {
        highest = value_with;
        best = j;
      }
    }
    if (best == among.end()) break;
    value = highest;
    with[*best] = losses[*best];
    picked.push_back(*best);
    among.erase(best);
  }
  return picked;
}

}  // namespace bitpilot
