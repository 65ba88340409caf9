#include "policies/pareto.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace bitpilot {

bool Dominates(const Objectives& a, const Objectives& b) {
  return a.error_rate <= b.error_rate && a.latency_ratio <= b.latency_ratio &&
         a.energy_ratio <= b.energy_ratio && a != b;
}

std::vector<std::size_t> ParetoFront(std::span<const Objectives> points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto key = [points](std::size_t index) {
    const Objectives& point = points[index];
    return std::tuple(point.latency_ratio, point.error_rate, point.energy_ratio);
  };
  // Stable, so that of equal points the first one stays in front. Whoever dominates a point comes
  // before it.
  std::stable_sort(order.begin(), order.end(),
                   [&key](std::size_t a, std::size_t b) { return key(a) < key(b); });
  std::vector<std::size_t> front;
  for (const std::size_t index : order) {
    // The last member has the lowest error of the front wherever no energies differ.
    const bool beaten = std::any_of(front.rbegin(), front.rend(), [&](std::size_t member) {
      return points[member].error_rate <= points[index].error_rate &&
             points[member].energy_ratio <= points[index].energy_ratio;
    });
    if (!beaten) {
      front.push_back(index);
    }
  }
  return front;
}

bool GrowingFront::Add(std::size_t index, const Objectives& point) {
  const auto beats = [](const Objectives& a, const Objectives& b) {
    return a == b || Dominates(a, b);
  };
  if (std::any_of(points_.begin(), points_.end(),
                  [&](const Objectives& member) { return beats(member, point); })) {
    return false;
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < points_.size(); ++i) {
    if (Dominates(point, points_[i])) continue;
    indices_[kept] = indices_[i];
    points_[kept] = points_[i];
    ++kept;
  }
  indices_.resize(kept);
  points_.resize(kept);
  indices_.push_back(index);
  points_.push_back(point);
  return true;
}

double Hypervolume(std::span<const Objectives> points, const Objectives& reference) {
  double area = 0.0;
  double ceiling = reference.error_rate;  // lowest error rate so far
  for (const std::size_t index : ParetoFront(points)) {
    const Objectives& point = points[index];
    if (point.latency_ratio >= reference.latency_ratio) {
      break;
    }
    if (point.error_rate < ceiling) {
      area += (reference.latency_ratio - point.latency_ratio) * (ceiling - point.error_rate);
      ceiling = point.error_rate;
    }
  }
  return area;
}

// Slabs between the energies of the points, each as deep as the way to the next one: in it, the
// area of all points that need no more.
double EnergyHypervolume(std::span<const Objectives> points, const Objectives& reference) {
  std::vector<Objectives> by_energy(points.begin(), points.end());
  std::sort(by_energy.begin(), by_energy.end(), [](const Objectives& a, const Objectives& b) {
    return a.energy_ratio < b.energy_ratio;
  });
  double volume = 0.0;
  for (std::size_t i = 0; i < by_energy.size(); ++i) {
    const double next =
        i + 1 < by_energy.size() ? by_energy[i + 1].energy_ratio : reference.energy_ratio;
    const double depth = std::min(next, reference.energy_ratio) - by_energy[i].energy_ratio;
    if (depth > 0.0) {
      volume += depth * Hypervolume(std::span(by_energy).first(i + 1), reference);
    }
  }
  return volume;
}

}  // namespace bitpilot
