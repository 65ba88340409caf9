// Networks compared on a board in interleaved rounds, outside any study.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/results/repeated_comparison.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct BoardComparison {
  Measurement measurement;  // the last comparison, with numbers
  // The last one that measured energy, with numbers; the first one if none was asked to.
  Measurement with_energy;
  // Why comparisons before the last one were disturbed, in their order.
  std::vector<std::string> disturbances;
  int comparisons() const { return static_cast<int>(disturbances.size()) + 1; }
};

// Measures `job` once, and again while that is NOISY, as the end of a search does
// (agent/results/repeated_comparison.h). `notice` hears of every repetition.
//
// max_comparisons: at most so many in all, from 1 on; kMaxComparisons is the most.
//
// Errors: the board's, and kUnavailable with the board's verdict if that is one without numbers.
Result<BoardComparison> CompareOnBoard(Board& board, const MeasureJob& job,
                                       const std::function<void(const std::string&)>& notice,
                                       int max_comparisons = kMaxComparisons);

}  // namespace bitpilot
