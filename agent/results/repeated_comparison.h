// Interleaved rounds are measured again while something disturbed them: what the end of a search
// and `bitpilot evaluate` have in common.
#pragma once

#include <functional>
#include <string>

#include "agent/fleet/board.h"
#include "kernels/base/status.h"

namespace bitpilot {

// A disturbed comparison is made again until one is not, at most so many times in all.
inline constexpr int kMaxComparisons = 3;

// What one comparison came to.
struct ComparisonVerdict {
  bool noisy = false;
  std::string detail;         // why it is noisy
  bool energy_known = false;  // of all networks
};

struct RepeatedComparison {
  bool energy = false;  // wanted
  // Makes comparison `number` (1, 2, ...) and keeps its figures. `energy`: with the energy phase,
  // which has a verdict of its own: once it knows all networks' energies, no further comparison
  // measures them again.
  std::function<Result<ComparisonVerdict>(int number, bool energy)> measure;
  // Asked before comparison `next`, with the news for who waits; false ends it with what there is.
  std::function<bool(int next, const std::string& notice)> goes_on;
};

// Returns how many comparisons were made, 1..kMaxComparisons. The last one's figures count, and the
// verdict alone decides which one that is. One without numbers (a crash, a refusal) is not NOISY,
// and not made again.
//
// Errors: those of `measure`.
Result<int> CompareUntilUndisturbed(const RepeatedComparison& job);

// For people, under a result: "NOISY, in each of 3 comparisons, last: <detail>", or that only
// earlier comparisons were disturbed; empty if the first one was fine.
std::string DescribeComparisons(bool noisy, const std::string& detail, int comparisons);

}  // namespace bitpilot
