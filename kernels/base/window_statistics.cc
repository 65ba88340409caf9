#include "kernels/base/window_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <vector>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

constexpr double kMinConfidence = 0.95;

// Rank k >= 1 of the interval's lower end, and its confidence.
struct Rank {
  int k;
  double confidence;
};

Rank SignTestRank(int n) {
  double term = std::ldexp(1.0, -n);  // P(Binomial(n, 1/2) = 0)
  double tail = term;                 // P(Binomial(n, 1/2) <= k - 1)
  Rank rank{1, 1.0 - 2.0 * tail};
  for (int k = 2; 2 * k <= n; ++k) {
    term *= static_cast<double>(n - k + 2) / (k - 1);
    tail += term;
    const double confidence = 1.0 - 2.0 * tail;
    if (confidence < kMinConfidence) break;
    rank = {k, confidence};
  }
  return rank;
}

constexpr std::size_t kFewestForOrderStatistics = 6;

// Mean with Student's interval. The mean of equal values must not leave their range by rounding.
CenteredInterval MeanInterval(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  double sum = 0.0;
  for (const double value : values) sum += value;
  const double mean = std::clamp(sum / count, *least, *most);
  double squares = 0.0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const int degrees_of_freedom = static_cast<int>(values.size()) - 1;
  const double standard_error = std::sqrt(squares / degrees_of_freedom / count);
  return {mean, StudentT95(degrees_of_freedom) * standard_error};
}

std::vector<double> Sorted(std::span<const double> values) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  return sorted;
}

double MedianOfSorted(const std::vector<double>& sorted) {
  const std::size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2.0;
}

}  // namespace

double Median(std::span<const double> values) {
  BITPILOT_CHECK(!values.empty());
  return MedianOfSorted(Sorted(values));
}

MedianInterval SignTestInterval(std::span<const double> values) {
  BITPILOT_CHECK(!values.empty());
  const std::vector<double> sorted = Sorted(values);
  const Rank rank = SignTestRank(static_cast<int>(sorted.size()));
  return {MedianOfSorted(sorted), sorted[rank.k - 1], sorted[sorted.size() - rank.k],
          rank.confidence};
}

double StudentT95(int degrees_of_freedom) {
  BITPILOT_CHECK(degrees_of_freedom >= 1);
  constexpr double kTable[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706,
                               2.4469,  2.3646, 2.3060, 2.2622, 2.2281};
  if (static_cast<std::size_t>(degrees_of_freedom) <= std::size(kTable)) {
    return kTable[degrees_of_freedom - 1];
  }
  // Cornish-Fisher expansion around the normal distribution's quantile.
  constexpr double kZ = 1.959964;
  constexpr double kZ2 = kZ * kZ;
  const double n = degrees_of_freedom;
  const double first = kZ * (kZ2 + 1.0) / (4.0 * n);
  const double second = kZ * ((5.0 * kZ2 + 16.0) * kZ2 + 3.0) / (96.0 * n * n);
  const double third = kZ * (((3.0 * kZ2 + 19.0) * kZ2 + 17.0) * kZ2 - 15.0) / (384.0 * n * n * n);
  const double fourth = kZ *
                        ((((79.0 * kZ2 + 776.0) * kZ2 + 1482.0) * kZ2 - 1920.0) * kZ2 - 945.0) /
                        (92160.0 * n * n * n * n);
  return kZ + first + second + third + fourth;
}

CenteredInterval CenteredInterval95(std::span<const double> values) {
  BITPILOT_CHECK(values.size() >= 2);
  if (values.size() < kFewestForOrderStatistics) return MeanInterval(values);
  const MedianInterval exact = SignTestInterval(values);
  return {exact.median, std::max(exact.median - exact.low, exact.high - exact.median)};
}

double SignTestPValue(int first, int second) {
  BITPILOT_CHECK(first >= 0 && second >= 0);
  const int n = first + second;
  double term = std::ldexp(1.0, -n);  // P(Binomial(n, 1/2) = k)
  double tail = 0.0;
  for (int k = 0; k <= std::min(first, second); ++k) {
    tail += term;
    term *= static_cast<double>(n - k) / (k + 1);
  }
  return std::min(1.0, 2.0 * tail);
}

double Drift(std::span<const double> values) {
  const std::size_t third = values.size() / 3;
  if (third == 0) return 0.0;
  return Median(values.last(third)) / Median(values.first(third)) - 1.0;
}

double RelativeSlope(std::span<const double> values) {
  BITPILOT_CHECK(values.size() >= 2);
  const double middle = (static_cast<double>(values.size()) - 1.0) / 2.0;
  double mean = 0.0;
  for (const double value : values) mean += value;
  mean /= static_cast<double>(values.size());
  double covariance = 0.0;
  double variance = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double x = static_cast<double>(i) - middle;
    covariance += x * (values[i] - mean);
    variance += x * x;
  }
  return covariance / variance * (2.0 * middle) / mean;
}

}  // namespace bitpilot
