#include "device_daemon/measurement/series_shape.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr double kTrendZ = 2.5;
constexpr double kStepZ = 2.15;
constexpr double kOrderedPairs = 0.9;
constexpr double kStepOverScatter = 3.0;
constexpr double kGapOverScatter = 4.0;
constexpr double kGapOverSmallerScatter = 2.0;
constexpr std::size_t kMinStepSide = 3;
constexpr std::size_t kSpikeShare = 3;  // one in so many windows
constexpr std::size_t kMinGroup = 2;
constexpr std::size_t kMinGroupShare = 10;  // one in so many windows

// Kendall's S over its standard deviation, with the correction for continuity.
double MannKendallZ(std::span<const double> values) {
  double s = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) {
      s += (values[j] > values[i] ? 1.0 : 0.0) - (values[j] < values[i] ? 1.0 : 0.0);
    }
  }
  const auto n = static_cast<double>(values.size());
  return (std::abs(s) - 1.0) / std::sqrt(n * (n - 1.0) * (2.0 * n + 5.0) / 18.0);
}

double TheilSenSlope(std::span<const double> values) {
  std::vector<double> slopes;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i + 1; j < values.size(); ++j) {
      slopes.push_back((values[j] - values[i]) / static_cast<double>(j - i));
    }
  }
  return Median(slopes);
}

void AppendDistances(std::span<const double> values, double center, std::vector<double>& out) {
  for (const double value : values) out.push_back(std::abs(value - center));
}

double Scatter(std::span<const double> values) {
  std::vector<double> distances;
  AppendDistances(values, Median(values), distances);
  return Median(distances);
}

double Sum(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum;
}

// Without the slowest third.
std::vector<double> WithoutSpikes(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  sorted.resize(sorted.size() - sorted.size() / kSpikeShare);
  return sorted;
}

// Mann-Whitney's U: pairs (fast, slow) in which the slow one is greater; ties count half.
double MannWhitneyU(std::span<const double> fast, std::span<const double> slow) {
  double u = 0.0;
  for (const double x : fast) {
    for (const double y : slow) u += y > x ? 1.0 : (y == x ? 0.5 : 0.0);
  }
  return u;
}

std::optional<Step> StepAt(std::span<const double> values, std::size_t after, double min_change) {
  const std::span<const double> head = values.first(after);
  const std::span<const double> tail = values.subspan(after);
  const double head_median = Median(head);
  const double tail_median = Median(tail);
  const double change = tail_median - head_median;
  const double level = Median(values);
  std::vector<double> distances;
  AppendDistances(head, head_median, distances);
  AppendDistances(tail, tail_median, distances);
  if (std::abs(change) <= min_change * level) return std::nullopt;
  if (std::abs(change) < kStepOverScatter * Median(distances)) return std::nullopt;
  const std::vector<double> fast = WithoutSpikes(change > 0.0 ? head : tail);
  const std::span<const double> slow = change > 0.0 ? tail : head;
  const auto n = static_cast<double>(fast.size() + slow.size());
  const double pairs = static_cast<double>(fast.size()) * static_cast<double>(slow.size());
  const double u = MannWhitneyU(fast, slow);
  const double z = (u - pairs / 2.0) / std::sqrt(pairs * (n + 1.0) / 12.0);
  if (u < kOrderedPairs * pairs || z < kStepZ) return std::nullopt;
  return Step{after, change / level, Sum(distances)};
}

}  // namespace

std::optional<Trend> FindTrend(std::span<const double> values, double min_change) {
  if (values.size() < 2 || MannKendallZ(values) < kTrendZ) return std::nullopt;
  const double slope = TheilSenSlope(values);
  const double level = Median(values);
  const double change = slope * static_cast<double>(values.size() - 1) / level;
  if (std::abs(change) <= min_change) return std::nullopt;
  std::vector<double> without_slope;
  for (std::size_t i = 0; i < values.size(); ++i) {
    without_slope.push_back(values[i] - slope * static_cast<double>(i));
  }
  std::vector<double> distances;
  AppendDistances(without_slope, Median(without_slope), distances);
  return Trend{change, Sum(distances)};
}

std::optional<Step> FindStep(std::span<const double> values, double min_change) {
  std::optional<Step> best;
  for (std::size_t after = kMinStepSide; after + kMinStepSide <= values.size(); ++after) {
    const std::optional<Step> found = StepAt(values, after, min_change);
    if (found && (!best || found->misfit < best->misfit)) best = found;
  }
  return best;
}

std::optional<TwoSpeeds> FindTwoSpeeds(std::span<const double> values, double min_gap) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const std::size_t n = sorted.size();
  const std::size_t min_group = std::max(kMinGroup, n / kMinGroupShare);
  for (std::size_t split = min_group; split + min_group <= n; ++split) {
    const double gap = sorted[split] - sorted[split - 1];
    if (gap <= min_gap * Median(sorted)) continue;
    const std::span<const double> fast = std::span(sorted).first(split);
    const std::span<const double> slow = std::span(sorted).subspan(split);
    const bool more_fast = fast.size() >= slow.size();
    if (gap <= kGapOverScatter * Scatter(more_fast ? fast : slow)) continue;
    if (gap <= kGapOverSmallerScatter * Scatter(more_fast ? slow : fast)) continue;
    return TwoSpeeds{slow.size(), Median(slow) / Median(fast) - 1.0};
  }
  return std::nullopt;
}

}  // namespace bitpilot
