// Two networks in blocks of interleaved rounds: what such blocks say of their ratio, and of which one
// is faster, where a place in memory may favour one of them for as long as a block lasts.
#pragma once

#include <optional>
#include <vector>

#include "kernels/base/round_comparison.h"

namespace bitpilot {

// What two networks took in the rounds of one block: CPU time of an inference, say, or energy.
struct PairedBlock {
  std::vector<double> first;
  std::vector<double> second;  // parallel
  bool second_ran_first = false;
};

struct PairVerdict {
  // Over all rounds; `speed` says which one is faster only where 1 is outside of low..high, too.
  RoundComparison rounds;
  int num_rounds = 0;
  // 95 % interval of the ratio, first to second: to either side the farther end of two, that of all
  // rounds and Student's of the blocks' medians. The second is the wider one where blocks of the same
  // order differ by more than their rounds' scatter explains.
  double low = 0.0;
  double high = 0.0;

  double ratio() const { return rounds.ratio.median; }
};

// REQUIRES: two blocks at least, each with as many values of the first as of the second, and at least
// one; positive values.
PairVerdict ComparePairs(const std::vector<PairedBlock>& blocks);

// Of A beside B, if the same protocol tells two copies of A not apart.
struct VersusVerdict {
  PairVerdict same;       // a copy of A to another one
  PairVerdict different;  // A to B
  // Of A. nullopt if the copies were told apart: then nothing is known of B.
  std::optional<Speed> speed;
  // From here on a difference is found in kStatedPower of comparisons of this length, as long as two copies
  // are not told apart; smaller ones may be missed. The larger of two (kernels/versus/found_difference.h):
  // by the scatter of the copies' rounds, and by how far the blocks of both comparisons are apart, which is
  // more where a block has a place in memory or a time of its own. nullopt if no size is found so often.
  std::optional<double> smallest_difference;
};

// REQUIRES: as ComparePairs(), of both.
VersusVerdict JudgeVersus(const std::vector<PairedBlock>& same,
                          const std::vector<PairedBlock>& different);

}  // namespace bitpilot
