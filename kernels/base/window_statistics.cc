#include "kernels/base/window_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
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
