#include "kernels/versus/found_difference.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/base/round_comparison.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr int kStepsOfOne = 1000;

// P(Binomial(n, p) = k) for k in 0..n.
std::vector<double> BinomialProbabilities(int n, double p) {
  std::vector<double> probabilities(static_cast<std::size_t>(n) + 1);
  double log_choose = 0.0;
  for (int k = 0; k <= n; ++k) {
    const double log_p = k == 0 ? 0.0 : k * std::log(p);
    const double log_rest = k == n ? 0.0 : (n - k) * std::log1p(-p);
    probabilities[static_cast<std::size_t>(k)] = std::exp(log_choose + log_p + log_rest);
    log_choose += std::log(static_cast<double>(n - k) / (k + 1));
  }
  return probabilities;
}

// P(Binomial(n, p) >= least).
double UpperTail(int n, double p, int least) {
  if (least <= 0) return 1.0;
  const double log_p = std::log(p);
  const double log_rest = std::log1p(-p);
  double log_choose = 0.0;  // n over k, from k = n down
  double tail = 0.0;
  for (int k = n; k >= least; --k) {
    tail += std::exp(log_choose + k * log_p + (k == n ? 0.0 : (n - k) * log_rest));
    log_choose += std::log(static_cast<double>(k) / (n - k + 1));
  }
  return std::min(tail, 1.0);
}

class Rounds {
 public:
  explicit Rounds(std::span<const double> same_ratios)
      : count_(static_cast<int>(same_ratios.size())) {
    for (const double ratio : same_ratios) {
      both_ways_.push_back(ratio);
      both_ways_.push_back(1.0 / ratio);
    }
    std::sort(both_ways_.begin(), both_ways_.end());
    fewest_slower_ = count_ + 1;
    while (fewest_slower_ > 0 && 2 * (fewest_slower_ - 1) > count_ &&
           SignTestPValue(count_ - fewest_slower_ + 1, fewest_slower_ - 1) < kClaimSignificance) {
      --fewest_slower_;
    }
  }

  // How often a network `d` slower is called so. Of the rounds in which it is slower, more than half
  // of all must say by more than kClaimDifference, so that the median does.
  double Power(double d) const {
    const double slower = ShareAbove(1.0 / (1.0 + d));
    const double clearly = ShareAbove((1.0 + kClaimDifference) / (1.0 + d));
    const std::vector<double> counts = BinomialProbabilities(count_, slower);
    double power = 0.0;
    for (int k = fewest_slower_; k <= count_; ++k) {
      power += counts[static_cast<std::size_t>(k)] *
               UpperTail(k, std::min(clearly / slower, kAlmostOne), count_ / 2 + 1);
    }
    return power;
  }

 private:
  static constexpr double kAlmostOne = 1.0 - 1e-12;

  // As if one more round had come, which says neither: that a share was 0 or 1 in these rounds does
  // not make it so.
  double ShareAbove(double limit) const {
    const auto above =
        both_ways_.end() - std::upper_bound(both_ways_.begin(), both_ways_.end(), limit);
    return (0.5 * static_cast<double>(above) + 0.5) / (count_ + 1.0);
  }

  int count_;
  std::vector<double> both_ways_;  // ascending
  int fewest_slower_;  // rounds that the sign test asks for; count_ + 1: no number will do
};

// What an estimate of a standard deviation may be as a multiple of the true one, with what weight:
// sqrt(chi-squared / degrees of freedom), on a grid.
struct EstimatedScale {
  double scale = 0.0;
  double weight = 0.0;  // all weights add up to 1
};

std::vector<EstimatedScale> EstimatedScales(int degrees_of_freedom) {
  constexpr int kPoints = 48;
  constexpr double kGreatest = 5.0;  // beyond it lies less than a millionth
  std::vector<EstimatedScale> scales;
  double sum = 0.0;
  for (int i = 0; i < kPoints; ++i) {
    const double scale = kGreatest * (i + 0.5) / kPoints;
    const double log_density =
        (degrees_of_freedom - 1) * std::log(scale) - 0.5 * degrees_of_freedom * scale * scale;
    scales.push_back({scale, std::exp(log_density)});
    sum += scales.back().weight;
  }
  for (EstimatedScale& one : scales) one.weight /= sum;
  std::erase_if(scales, [](const EstimatedScale& one) { return one.weight < 1e-8; });
  return scales;
}

class Blocks {
 public:
  explicit Blocks(const BlockScatter& blocks)
      : blocks_(blocks),
        known_(EstimatedScales(blocks.known_by)),
        own_(EstimatedScales(blocks.degrees_of_freedom)),
        t95_(StudentT95(blocks.degrees_of_freedom)) {}

  double Power(double d) const {
    if (blocks_.standard_error == 0.0) return d > kClaimDifference ? 1.0 : 0.0;
    double power = 0.0;
    for (const EstimatedScale& known : known_) {
      // A slower network's ratio scatters as much as a fraction of itself.
      const double true_error = (1.0 + d) * blocks_.standard_error / known.scale;
      double found = 0.0;
      for (const EstimatedScale& own : own_) {
        const double limit = std::max(kClaimDifference, t95_ * own.scale * true_error);
        found += own.weight * 0.5 * std::erfc((limit - d) / (true_error * std::sqrt(2.0)));
      }
      power += known.weight * found;
    }
    return power;
  }

 private:
  const BlockScatter blocks_;
  const std::vector<EstimatedScale> known_;
  const std::vector<EstimatedScale> own_;
  const double t95_;
};

// Source: Power(d) says how often a difference d is found; it grows with d.
template <typename Source>
std::optional<double> SmallestFound(const Source& source) {
  const auto is_found = [&](int steps) {
    return source.Power(static_cast<double>(steps) / kStepsOfOne) >= kStatedPower;
  };
  // A claim takes more than kClaimDifference. Most answers are near to that.
  int missed = static_cast<int>(kClaimDifference * kStepsOfOne);
  int found = missed + 1;
  while (found < kStepsOfOne && !is_found(found)) {
    const int step = 2 * (found - missed);
    missed = found;
    found = std::min(missed + step, kStepsOfOne);
  }
  if (found == kStepsOfOne && !is_found(found)) return std::nullopt;
  while (found - missed > 1) {
    const int middle = (missed + found) / 2;
    (is_found(middle) ? found : missed) = middle;
  }
  return static_cast<double>(found) / kStepsOfOne;
}

}  // namespace

std::optional<double> SmallestDifferenceFound(std::span<const double> same_ratios) {
  if (same_ratios.empty()) return std::nullopt;
  return SmallestFound(Rounds(same_ratios));
}

std::optional<double> SmallestDifferenceFound(const BlockScatter& blocks) {
  return SmallestFound(Blocks(blocks));
}

}  // namespace bitpilot
