#include "policies/pareto.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace bitpilot {

bool Dominates(const Objectives& a, const Objectives& b) {
  return a.error_rate <= b.error_rate && a.latency_ratio <= b.latency_ratio && a != b;
}

std::vector<std::size_t> ParetoFront(std::span<const Objectives> points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  // Stable, so that of equal points the first one stays in front.
  std::stable_sort(order.begin(), order.end(), [points](std::size_t a, std::size_t b) {
    if (points[a].latency_ratio != points[b].latency_ratio) {
      return points[a].latency_ratio < points[b].latency_ratio;
    }
    return points[a].error_rate < points[b].error_rate;
  });
  std::vector<std::size_t> front;
  double lowest_error = std::numeric_limits<double>::infinity();
  for (const std::size_t index : order) {
    if (points[index].error_rate < lowest_error) {
      lowest_error = points[index].error_rate;
      front.push_back(index);
    }
  }
  return front;
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

}  // namespace bitpilot
