#include "policies/acquisition.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bitpilot {
namespace {

// Searching for the best prediction finds those that err on the low side: aim this much below the
// limit.
constexpr double kMargin = 0.01;

// Points of `points` within the box below `reference` that no other one dominates.
std::vector<Objectives> FrontInside(const std::vector<Objectives>& points,
                                    const Objectives& reference) {
  std::vector<Objectives> front;
  for (const std::size_t member : ParetoFront(points)) {
    const Objectives& point = points[member];
    if (point.error_rate < reference.error_rate && point.latency_ratio < reference.latency_ratio) {
      front.push_back(point);
    }
  }
  return front;
}

// A budget that `best` has not kept becomes `best`.
void Relax(double best, std::optional<double>& budget) {
  if (budget && best > *budget && std::isfinite(best)) {
    budget = best;
  }
}

}  // namespace

Acquisition::Acquisition(const SearchProblem& problem, const CostModel& cost,
                         const ObservedFront& measured, std::vector<World> worlds)
    : budgets_(problem.budgets), cost_(cost), worlds_(std::move(worlds)) {
  const std::vector<Objectives>& outcomes = measured.front().points();
  Relax(measured.fastest(), budgets_.max_latency_ratio);
  Relax(measured.thriftiest(), budgets_.max_energy_ratio);
  const auto inside = [](const Objectives& point) {
    return point.error_rate < kHypervolumeReference.error_rate &&
           point.latency_ratio < kHypervolumeReference.latency_ratio &&
           point.energy_ratio < kHypervolumeReference.energy_ratio;
  };
  if (std::none_of(outcomes.begin(), outcomes.end(), inside)) {
    reference_.error_rate = 1.0;
  }
  for (const std::size_t member : ParetoFront(outcomes)) {
    front_.push_back(measured.front().indices()[member]);
  }
  BuildSlabs(outcomes, problem.energy_objective != EnergyObjective::kNone);
}

void Acquisition::BuildSlabs(const std::vector<Objectives>& outcomes, bool with_energy) {
  if (!with_energy) {
    slabs_ = {{.begin = 0.0, .end = 1.0, .front = FrontInside(outcomes, reference_)}};
    return;
  }
  std::vector<double> energies = {0.0};
  for (const Objectives& outcome : outcomes) {
    if (outcome.energy_ratio < reference_.energy_ratio) {
      energies.push_back(outcome.energy_ratio);
    }
  }
  std::sort(energies.begin(), energies.end());
  energies.erase(std::unique(energies.begin(), energies.end()), energies.end());
  for (std::size_t i = 0; i < energies.size(); ++i) {
    std::vector<Objectives> affordable;
    for (const Objectives& outcome : outcomes) {
      if (outcome.energy_ratio <= energies[i]) {
        affordable.push_back({outcome.error_rate, outcome.latency_ratio});
      }
    }
    const bool last = i + 1 == energies.size();
    slabs_.push_back({.begin = energies[i],
                      .end = last ? reference_.energy_ratio : energies[i + 1],
                      .front = FrontInside(affordable, reference_)});
  }
}

double Acquisition::ExpectedImprovement(const Choice& choice) const {
  const std::vector<double> latency_ratios = cost_.OperationLatencyRatios(choice);
  const std::vector<double> energy_ratios = cost_.OperationEnergyRatios(choice);
  double sum = 0.0;
  for (const World& world : worlds_) {
    sum += Improvement(world.Predict(choice, latency_ratios, energy_ratios));
  }
  return sum / static_cast<double>(worlds_.size());
}

double Acquisition::Improvement(const Objectives& outcome) const {
  const Objectives cautious = {.error_rate = outcome.error_rate,
                               .latency_ratio = outcome.latency_ratio * (1.0 + kMargin),
                               .energy_ratio = outcome.energy_ratio * (1.0 + kMargin)};
  if (!KeepsBudgets(budgets_, cautious)) {
    return 0.0;
  }
  double volume = 0.0;
  for (const Slab& slab : slabs_) {
    const double depth = slab.end - std::max(slab.begin, outcome.energy_ratio);
    if (depth > 0.0) {
      volume += depth * AddedArea(outcome, slab);
    }
  }
  return volume;
}

// The part of the point's rectangle that the front leaves free: strips between the latencies of its
// members, each below the error rate of the member at its left.
double Acquisition::AddedArea(const Objectives& outcome, const Slab& slab) const {
  double area = 0.0;
  double left = outcome.latency_ratio;
  double ceiling = reference_.error_rate;
  for (const Objectives& member : slab.front) {
    if (member.latency_ratio > left) {
      area += (member.latency_ratio - left) * std::max(0.0, ceiling - outcome.error_rate);
      left = member.latency_ratio;
    }
    ceiling = member.error_rate;
  }
  const double last = std::max(0.0, reference_.latency_ratio - left);
  return area + last * std::max(0.0, ceiling - outcome.error_rate);
}

}  // namespace bitpilot
