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
  if (least > n) return 0.0;
  const std::vector<double> probabilities = BinomialProbabilities(n, p);
  double tail = 0.0;
  for (int k = n; k >= least; --k) tail += probabilities[static_cast<std::size_t>(k)];
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

}  // namespace

std::optional<double> SmallestDifferenceFound(std::span<const double> same_ratios) {
  if (same_ratios.empty()) return std::nullopt;
  const Rounds rounds(same_ratios);
  const auto is_found = [&](int steps) {
    return rounds.Power(static_cast<double>(steps) / kStepsOfOne) >= kStatedPower;
  };
  if (!is_found(kStepsOfOne)) return std::nullopt;
  int missed = 0;
  int found = kStepsOfOne;
  while (found - missed > 1) {
    const int middle = (missed + found) / 2;
    (is_found(middle) ? found : missed) = middle;
  }
  return static_cast<double>(found) / kStepsOfOne;
}

}  // namespace bitpilot
