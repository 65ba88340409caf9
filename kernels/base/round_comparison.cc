#include "kernels/base/round_comparison.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

std::vector<double> Ratios(std::span<const double> candidate_ns,
                           std::span<const double> reference_ns) {
  std::vector<double> ratios;
  for (std::size_t round = 0; round < std::min(candidate_ns.size(), reference_ns.size()); ++round) {
    ratios.push_back(candidate_ns[round] / reference_ns[round]);
  }
  return ratios;
}

}  // namespace

std::string_view ToString(Speed speed) {
  switch (speed) {
    case Speed::kNoDifference:
      return "no difference";
    case Speed::kFaster:
      return "faster";
    case Speed::kSlower:
      return "slower";
  }
  return "unknown";
}

std::span<const double> TimesToCompare(std::span<const double> wall_ns,
                                       std::span<const double> cpu_ns) {
  const bool all_positive =
      std::all_of(cpu_ns.begin(), cpu_ns.end(), [](double time) { return time > 0.0; });
  return cpu_ns.size() == wall_ns.size() && all_positive ? cpu_ns : wall_ns;
}

MedianInterval RatioOfRounds(std::span<const double> candidate_ns,
                             std::span<const double> reference_ns) {
  return SignTestInterval(Ratios(candidate_ns, reference_ns));
}

RoundComparison CompareRounds(std::span<const double> candidate_ns,
                              std::span<const double> reference_ns, int num_comparisons) {
  BITPILOT_CHECK(num_comparisons >= 1);
  const std::vector<double> ratios = Ratios(candidate_ns, reference_ns);
  RoundComparison comparison;
  comparison.ratio = SignTestInterval(ratios);
  for (const double ratio : ratios) {
    comparison.rounds_faster += ratio < 1.0;
    comparison.rounds_slower += ratio > 1.0;
  }
  comparison.p_value = SignTestPValue(comparison.rounds_faster, comparison.rounds_slower);
  const bool significant = comparison.p_value * num_comparisons < kClaimSignificance;
  if (significant && std::abs(comparison.ratio.median - 1.0) > kClaimDifference) {
    comparison.speed =
        comparison.rounds_faster > comparison.rounds_slower ? Speed::kFaster : Speed::kSlower;
  }
  return comparison;
}

}  // namespace bitpilot
