#include "agent/results/accuracy_statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

constexpr double kZ = 1.959963984540054;  // standard normal quantile of 0.975

}  // namespace

Interval WilsonInterval(std::int64_t correct, std::int64_t total) {
  BITPILOT_CHECK(total > 0 && correct >= 0 && correct <= total);
  const auto n = static_cast<double>(total);
  const double p = static_cast<double>(correct) / n;
  const double z2 = kZ * kZ;
  const double center = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half_width = kZ / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {std::max(0.0, center - half_width), std::min(1.0, center + half_width)};
}

PairedCounts CountPairs(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b,
                        std::span<const std::uint8_t> labels) {
  BITPILOT_CHECK(!labels.empty() && a.size() == labels.size() && b.size() == labels.size());
  PairedCounts counts;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const bool a_right = a[i] == labels[i];
    const bool b_right = b[i] == labels[i];
    ++(b_right ? (a_right ? counts.both : counts.only_this)
               : (a_right ? counts.only_reference : counts.neither));
  }
  return counts;
}

PairedDifference ComparePredictions(std::span<const std::uint8_t> a,
                                    std::span<const std::uint8_t> b,
                                    std::span<const std::uint8_t> labels) {
  return ComparePairs(CountPairs(a, b, labels));
}

PairedDifference ComparePairs(const PairedCounts& counts) {
  const auto& [both, only_b, only_a, neither] = counts;
  const std::int64_t total = counts.total();
  BITPILOT_CHECK(total > 0);
  const auto n = static_cast<double>(total);
  const std::int64_t right_b = counts.correct();
  const std::int64_t right_a = both + only_a;
  const double p_b = static_cast<double>(right_b) / n;
  const double p_a = static_cast<double>(right_a) / n;
  const Interval wilson_b = WilsonInterval(right_b, total);
  const Interval wilson_a = WilsonInterval(right_a, total);

  // Correlation of the two marginals, with Newcombe's continuity correction when it is positive.
  const double margins = static_cast<double>(right_b) * static_cast<double>(right_a) *
                         static_cast<double>(total - right_b) *
                         static_cast<double>(total - right_a);
  double phi = 0.0;
  if (margins > 0) {
    const double cross = static_cast<double>(both) * static_cast<double>(neither) -
                         static_cast<double>(only_b) * static_cast<double>(only_a);
    const double corrected = cross > 0 ? std::max(0.0, cross - n / 2) : cross;
    phi = corrected / std::sqrt(margins);
  }
  const auto spread = [phi](double x, double y) {
    return std::sqrt(std::max(0.0, x * x + y * y - 2 * phi * x * y));
  };
  const double difference = p_b - p_a;
  return {difference,
          {difference - spread(p_b - wilson_b.low, wilson_a.high - p_a),
           difference + spread(wilson_b.high - p_b, p_a - wilson_a.low)}};
}

}  // namespace bitpilot
