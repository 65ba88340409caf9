#include "kernels/runtime/conv_split.h"

#include <algorithm>

namespace bitpilot {
namespace {

// Half of a small second level.
constexpr std::int64_t kSharedWeightBytes = 256 * 1024;

// What is preferred is given up for what takes less than this part of its time.
constexpr double kNeededAdvantage = 0.9;

int NumUnits(int blocks, int unit) { return (blocks + unit - 1) / unit; }

// The part of the work that the thread with most of it has, of `count` equal pieces.
double LargestPart(int count, int num_threads) {
  return static_cast<double>((count + num_threads - 1) / num_threads) / count;
}

}  // namespace

Share ConvSplit::Rows(int index) const {
  return axis == Axis::kRows ? ShareOf(rows, index, num_parts) : Share{0, rows};
}

Share ConvSplit::Blocks(int index) const {
  if (axis == Axis::kRows) return {0, blocks};
  const Share units = ShareOf(NumUnits(blocks, unit), index, num_parts);
  return {unit * units.begin, std::min(unit * units.end, blocks)};
}

ConvSplit PlanConvSplit(const ConvWork& work, int num_threads) {
  ConvSplit split = {.rows = work.rows, .blocks = work.blocks};
  const int pair = std::max(2, work.group_blocks);
  const double by_rows = LargestPart(work.rows, num_threads);
  const double by_pairs = LargestPart(NumUnits(work.blocks, pair), num_threads);
  const double by_groups = LargestPart(NumUnits(work.blocks, work.group_blocks), num_threads);
  const bool takes_groups = by_groups < kNeededAdvantage * by_pairs;
  split.unit = takes_groups ? work.group_blocks : pair;
  const double by_blocks = takes_groups ? by_groups : by_pairs;
  const bool takes_blocks = work.weight_bytes > kSharedWeightBytes
                                ? by_rows > kNeededAdvantage * by_blocks
                                : by_blocks < kNeededAdvantage * by_rows;
  split.axis = takes_blocks ? ConvSplit::Axis::kBlocks : ConvSplit::Axis::kRows;
  split.num_parts =
      std::min(takes_blocks ? NumUnits(work.blocks, split.unit) : work.rows, num_threads);
  return split;
}

}  // namespace bitpilot
