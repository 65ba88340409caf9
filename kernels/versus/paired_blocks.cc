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

// How far the blocks' medians are apart, as a fraction of the ratio. What the order is worth is in both
// orders' means, and cancels in the mean of these: blocks differ by the rest.
struct BlockSpread {
  double sum_of_squares = 0.0;
  int degrees_of_freedom = 0;
  double error_factor = 0.0;  // of a standard deviation, that of the ratio over all blocks
};

// Adds those of one order, or of all blocks where orders are not told apart.
void AddSquares(const std::vector<double>& medians, double ratio, BlockSpread& spread) {
  const double count = static_cast<double>(medians.size());
  const double mean = std::accumulate(medians.begin(), medians.end(), 0.0) / count;
  for (const double median : medians) {
    spread.sum_of_squares += (median - mean) * (median - mean) / (ratio * ratio);
  }
  spread.degrees_of_freedom += static_cast<int>(medians.size()) - 1;
}

struct Medians {
  std::vector<double> all;
  std::vector<double> forward;
  std::vector<double> backward;

  bool has_both_orders() const { return forward.size() >= 2 && backward.size() >= 2; }
};

Medians MediansOf(const std::vector<PairedBlock>& blocks) {
  Medians medians;
  for (const PairedBlock& block : blocks) {
    medians.all.push_back(RatioOfRounds(block.first, block.second).median);
    (block.second_ran_first ? medians.backward : medians.forward).push_back(medians.all.back());
  }
  return medians;
}

BlockSpread SpreadOf(const Medians& medians, double ratio) {
  BlockSpread spread;
  const auto inverse_count = [](const std::vector<double>& each) {
    return 1.0 / static_cast<double>(each.size());
  };
  if (medians.has_both_orders()) {
    AddSquares(medians.forward, ratio, spread);
    AddSquares(medians.backward, ratio, spread);
    spread.error_factor =
        0.5 * std::sqrt(inverse_count(medians.forward) + inverse_count(medians.backward));
  } else {
    AddSquares(medians.all, ratio, spread);
    spread.error_factor = std::sqrt(inverse_count(medians.all));
  }
  return spread;
}

// How far the blocks' medians leave the ratio open, to either side.
double HalfWidthOfBlocks(const std::vector<PairedBlock>& blocks) {
  const Medians medians = MediansOf(blocks);
  if (!medians.has_both_orders()) return CenteredInterval95(medians.all).half_width;
  const BlockSpread spread = SpreadOf(medians, /*ratio=*/1.0);
  return StudentT95(spread.degrees_of_freedom) * spread.error_factor *
         std::sqrt(spread.sum_of_squares / spread.degrees_of_freedom);
}

// Of comparisons like that of `different`: blocks of both kinds show how far such blocks are apart.
BlockScatter ScatterOf(const std::vector<PairedBlock>& same,
                       const std::vector<PairedBlock>& different, const VersusVerdict& verdict) {
  const BlockSpread own = SpreadOf(MediansOf(different), verdict.different.ratio());
  const BlockSpread copies = SpreadOf(MediansOf(same), verdict.same.ratio());
  BlockScatter scatter;
  scatter.known_by = own.degrees_of_freedom + copies.degrees_of_freedom;
  scatter.degrees_of_freedom = own.degrees_of_freedom;
  scatter.standard_error =
      own.error_factor * std::sqrt((own.sum_of_squares + copies.sum_of_squares) / scatter.known_by);
  return scatter;
}

std::optional<double> SmallestDifference(const std::vector<PairedBlock>& same,
                                         const BlockScatter& scatter) {
  const PairedBlock rounds = AllRounds(same);
  std::vector<double> ratios;
  for (std::size_t i = 0; i < rounds.first.size(); ++i) {
    ratios.push_back(rounds.first[i] / rounds.second[i]);
  }
  const std::optional<double> by_rounds = SmallestDifferenceFound(ratios);
  const std::optional<double> by_blocks = SmallestDifferenceFound(scatter);
  if (!by_rounds || !by_blocks) return std::nullopt;
  return std::max(*by_rounds, *by_blocks);
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
  VersusVerdict verdict{ComparePairs(same), ComparePairs(different), std::nullopt, std::nullopt};
  verdict.smallest_difference = SmallestDifference(same, ScatterOf(same, different, verdict));
  if (verdict.same.rounds.speed == Speed::kNoDifference) {
    verdict.speed = verdict.different.rounds.speed;
  }
  return verdict;
}

}  // namespace bitpilot
