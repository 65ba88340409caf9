#include "kernels/versus/paired_blocks.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/base/check.h"
#include "kernels/base/window_statistics.h"
#include "kernels/versus/found_difference.h"

namespace bitpilot {
namespace {

PairedBlock AllRounds(const std::vector<PairedBlock>& blocks) {
  PairedBlock all;
  for (const PairedBlock& block : blocks) {
    BITPILOT_CHECK(!block.first.empty() && block.first.size() == block.second.size());
    all.first.insert(all.first.end(), block.first.begin(), block.first.end());
    all.second.insert(all.second.end(), block.second.begin(), block.second.end());
  }
  return all;
}

// Of one order.
struct Medians {
  std::vector<double> ratios;

  double count() const { return static_cast<double>(ratios.size()); }
  double SumOfSquares() const {
    const double mean = std::accumulate(ratios.begin(), ratios.end(), 0.0) / count();
    return std::accumulate(ratios.begin(), ratios.end(), 0.0, [mean](double sum, double ratio) {
      return sum + (ratio - mean) * (ratio - mean);
    });
  }
};

// How far the blocks' medians leave the ratio open, to either side. What the order is worth is in both
// orders' means, and cancels in the mean of these: blocks differ by the rest.
double HalfWidthOfBlocks(const std::vector<PairedBlock>& blocks) {
  Medians orders[2];
  std::vector<double> all;
  for (const PairedBlock& block : blocks) {
    all.push_back(RatioOfRounds(block.first, block.second).median);
    orders[block.second_ran_first ? 1 : 0].ratios.push_back(all.back());
  }
  const auto& [forward, backward] = orders;
  if (forward.ratios.size() < 2 || backward.ratios.size() < 2) {
    return CenteredInterval95(all).half_width;
  }
  const int degrees_of_freedom = static_cast<int>(all.size()) - 2;
  const double variance = (forward.SumOfSquares() + backward.SumOfSquares()) / degrees_of_freedom;
  const double of_mean = variance / 4.0 * (1.0 / forward.count() + 1.0 / backward.count());
  return StudentT95(degrees_of_freedom) * std::sqrt(of_mean);
}

std::optional<double> SmallestDifference(const std::vector<PairedBlock>& same) {
  const PairedBlock rounds = AllRounds(same);
  std::vector<double> ratios;
  for (std::size_t i = 0; i < rounds.first.size(); ++i) {
    ratios.push_back(rounds.first[i] / rounds.second[i]);
  }
  const std::optional<double> found = SmallestDifferenceFound(ratios);
  if (!found) return std::nullopt;
  return std::max(*found, kClaimDifference + HalfWidthOfBlocks(same));
}

}  // namespace

PairVerdict ComparePairs(const std::vector<PairedBlock>& blocks) {
  const PairedBlock all = AllRounds(blocks);
  PairVerdict verdict;
  verdict.rounds = CompareRounds(all.first, all.second);
  verdict.num_rounds = static_cast<int>(all.first.size());
  const double half_width = HalfWidthOfBlocks(blocks);
  verdict.low = std::min(verdict.rounds.ratio.low, verdict.ratio() - half_width);
  verdict.high = std::max(verdict.rounds.ratio.high, verdict.ratio() + half_width);
  if (verdict.low <= 1.0 && 1.0 <= verdict.high) verdict.rounds.speed = Speed::kNoDifference;
  return verdict;
}

VersusVerdict JudgeVersus(const std::vector<PairedBlock>& same,
                          const std::vector<PairedBlock>& different) {
  VersusVerdict verdict{ComparePairs(same), ComparePairs(different), std::nullopt,
                        SmallestDifference(same)};
  if (verdict.same.rounds.speed == Speed::kNoDifference) {
    verdict.speed = verdict.different.rounds.speed;
  }
  return verdict;
}

}  // namespace bitpilot
