#include "agent/results/repeated_comparison.h"

namespace bitpilot {

Result<int> CompareUntilUndisturbed(const RepeatedComparison& job) {
  bool energy = job.energy;
  for (int number = 1;; ++number) {
    const Result<ComparisonVerdict> verdict = job.measure(number, energy);
    if (!verdict.ok()) return verdict.status();
    energy = energy && !verdict->energy_known;
    if (!verdict->noisy || number == kMaxComparisons) return number;
    const std::string notice = "the comparison was disturbed (" + verdict->detail +
                               "); measuring it again, " + std::to_string(number + 1) +
                               " of at most " + std::to_string(kMaxComparisons);
    if (!job.goes_on(number + 1, notice)) return number;
  }
}

std::string DescribeComparisons(bool noisy, const std::string& detail, int comparisons) {
  if (noisy && comparisons == 1) return "NOISY, in one comparison: " + detail;
  if (noisy) {
    return "NOISY, in each of " + std::to_string(comparisons) + " comparisons, last: " + detail;
  }
  if (comparisons == 1) return {};
  return "measured " + std::to_string(comparisons) +
         " times: before that, other work or the CPU disturbed the comparison";
}

}  // namespace bitpilot
