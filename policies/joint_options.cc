#include "policies/joint_options.h"

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <optional>
#include <set>
#include <utility>

#include "policies/index.h"

namespace bitpilot {
namespace {

using Point = std::pair<double, double>;

void Add(const JointOption& added, JointOption& option) {
  option.loss += added.loss;
  option.latency_ratio += added.latency_ratio;
  option.energy_ratio += added.energy_ratio;
  option.weight_bits += added.weight_bits;
  option.widths.insert(option.widths.end(), added.widths.begin(), added.widths.end());
}

// x: criterion `b`, y: criterion `a`.
std::vector<Point> PointsOf(const std::vector<JointOption>& options, Criterion a, Criterion b) {
  std::vector<Point> points;
  points.reserve(options.size());
  for (const JointOption& option : options) points.emplace_back(option.*b, option.*a);
  return points;
}

// Visits every two criteria.
template <typename Visit>
void ForEachPair(const std::vector<Criterion>& criteria, const Visit& visit) {
  for (std::size_t a = 0; a < criteria.size(); ++a) {
    for (std::size_t b = a + 1; b < criteria.size(); ++b) visit(criteria[a], criteria[b]);
  }
}

// Indices of the points on the lower convex hull, from the lowest x to the lowest y. Points on its
// edges may be among them.
std::vector<std::size_t> LowerHull(const std::vector<Point>& points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return points[a] < points[b]; });
  std::vector<std::size_t> hull;
  for (const std::size_t next : order) {
    if (!hull.empty() && points[next].second >= points[hull.back()].second) continue;
    while (hull.size() >= 2) {
      const auto& [x0, y0] = points[hull[hull.size() - 2]];
      const auto& [x1, y1] = points[hull.back()];
      const auto& [x2, y2] = points[next];
      if ((x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0) >= 0.0) break;  // turns left: convex
      hull.pop_back();
    }
    hull.push_back(next);
  }
  return hull;
}

// Indices of the points with the lowest y in each of kSlices equal slices of x.
std::vector<std::size_t> LowestInSlices(const std::vector<Point>& points) {
  const auto [low, high] = std::minmax_element(points.begin(), points.end());
  const double width = (high->first - low->first) / kSlices;
  std::vector<std::optional<std::size_t>> lowest(kSlices);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double slice = width > 0.0 ? (points[i].first - low->first) / width : 0.0;
    auto& best = lowest[AsIndex(std::min(kSlices - 1, static_cast<int>(slice)))];
    if (!best || points[i].second < points[*best].second) best = i;
  }
  std::vector<std::size_t> indices;
  for (const auto& best : lowest) {
    if (best) indices.push_back(*best);
  }
  return indices;
}

// A variable's step from one width on its hull to the next.
struct Edge {
  double slope;  // negative: what y falls by as x grows
  std::size_t variable;
  std::size_t from;  // indices into the variable's widths
  std::size_t to;
};

// The edges of all variables' hulls, steepest first, each variable's in order; `lowest`: each one's
// width of the lowest x.
std::vector<Edge> EdgesOf(const std::vector<std::vector<JointOption>>& widths, Criterion a,
                          Criterion b, std::vector<std::size_t>& lowest) {
  std::vector<Edge> edges;
  for (std::size_t v = 0; v < widths.size(); ++v) {
    const std::vector<Point> points = PointsOf(widths[v], a, b);
    const std::vector<std::size_t> hull = LowerHull(points);
    lowest.push_back(hull.front());
    for (std::size_t i = 1; i < hull.size(); ++i) {
      const auto& [x0, y0] = points[hull[i - 1]];
      const auto& [x1, y1] = points[hull[i]];
      double slope = (y1 - y0) / (x1 - x0);
      // Rounding must not turn a variable's steps round.
      if (i > 1) slope = std::max(slope, edges.back().slope);
      edges.push_back({slope, v, hull[i - 1], hull[i]});
    }
  }
  std::stable_sort(edges.begin(), edges.end(), [](const Edge& first, const Edge& second) {
    return first.slope < second.slope;
  });
  return edges;
}

}  // namespace

std::vector<JointOption> AllNotDominated(const JointOption& start,
                                         const std::vector<std::vector<JointOption>>& widths,
                                         const std::vector<Criterion>& criteria) {
  std::vector<JointOption> options = {start};
  for (const std::vector<JointOption>& of_variable : widths) {
    std::vector<JointOption> longer;
    for (const JointOption& option : options) {
      for (const JointOption& added : of_variable) Add(added, longer.emplace_back(option));
    }
    options = WithoutDominated(std::move(longer), criteria);
  }
  return options;
}

std::vector<JointOption> WithoutDominated(std::vector<JointOption> options,
                                          const std::vector<Criterion>& criteria) {
  // Sorted by the first two criteria, an option can only be dominated by one before it.
  std::stable_sort(options.begin(), options.end(), [&](const JointOption& a, const JointOption& b) {
    const Criterion first = criteria[0];
    return a.*first != b.*first ? a.*first < b.*first : a.*criteria[1] < b.*criteria[1];
  });
  std::vector<JointOption> kept;
  for (JointOption& option : options) {
    const bool dominated = std::any_of(kept.begin(), kept.end(), [&](const JointOption& other) {
      return std::all_of(criteria.begin() + 1, criteria.end(), [&](Criterion criterion) {
        return other.*criterion <= option.*criterion;
      });
    });
    if (!dominated) {
      kept.push_back(std::move(option));
    }
  }
  return kept;
}

std::vector<JointOption> OptionsOnHulls(const JointOption& start,
                                        const std::vector<std::vector<JointOption>>& widths,
                                        const std::vector<Criterion>& criteria) {
  const std::size_t first = start.widths.size();
  std::vector<JointOption> options;
  ForEachPair(criteria, [&](Criterion a, Criterion b) {
    std::vector<std::size_t> lowest;
    const std::vector<Edge> edges = EdgesOf(widths, a, b, lowest);
    JointOption option = start;
    for (std::size_t v = 0; v < widths.size(); ++v) Add(widths[v][lowest[v]], option);
    options.push_back(option);
    for (const Edge& edge : edges) {
      const JointOption& from = widths[edge.variable][edge.from];
      const JointOption& to = widths[edge.variable][edge.to];
      option.loss += to.loss - from.loss;
      option.latency_ratio += to.latency_ratio - from.latency_ratio;
      option.energy_ratio += to.energy_ratio - from.energy_ratio;
      option.weight_bits += to.weight_bits - from.weight_bits;
      option.widths[first + edge.variable] = to.widths.front();
      options.push_back(option);
    }
  });
  return options;
}

std::vector<JointOption> LowestInSlices(const std::vector<JointOption>& options,
                                        const std::vector<Criterion>& criteria) {
  std::set<std::size_t> kept;
  ForEachPair(criteria, [&](Criterion a, Criterion b) {
    const std::vector<Point> points = PointsOf(options, a, b);
    const std::vector<std::size_t> slices = LowestInSlices(points);
    kept.insert(slices.begin(), slices.end());
    const std::vector<std::size_t> hull = LowerHull(points);
    kept.insert({hull.front(), hull.back()});
  });
  std::vector<JointOption> result;
  result.reserve(kept.size());
  for (const std::size_t index : kept) result.push_back(options[index]);
  return result;
}

}  // namespace bitpilot
