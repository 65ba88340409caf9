// Final rounds: the interleaved measurement that a search's results come from, made again if it was
// disturbed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/search/journal.h"
#include "agent/search/search_observer.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

// A disturbed comparison is made again until one is not, at most so many times in all.
inline constexpr int kMaxComparisons = 3;

struct FinalRoundsJob {
  // Measurements are called `prefix`-0, `prefix`-1, ...; those of the second comparison
  // `prefix`-again-2-0, and so on.
  std::string prefix;
  std::vector<BitAssignment> assignments;
  bool energy = false;
  bool long_audit = false;  // 100 rounds of 100 ms instead of 24 to 40 of 20 ms
  // Asked only if the log does not answer. Networks are parallel to assignments.
  std::function<Result<std::vector<const Network*>>()> networks;
  std::function<Result<Board*>()> board;
};

struct FinalRounds {
  // Of the last comparison, parallel to the assignments: the verdict decides which one counts, and
  // never its figures. The earlier ones are in the study, too.
  std::vector<MeasurementRow> rows;
  // Of the last one that measured energy. That has a phase and a verdict of its own: once it knows
  // all networks' energies, no further comparison measures them again.
  std::vector<MeasurementRow> energy_rows;
  int comparisons = 1;
};

// Measures all networks in one AUDIT (a member takes at most 3 s), and once more while that is
// NOISY. Says so to the observer. Where a replayed log goes on without a second comparison, as
// those of an older bitpilot do, so does this.
//
// Errors: the journal's, those of job.networks and job.board, and the board's.
Result<FinalRounds> MeasureFinalRounds(const FinalRoundsJob& job, Journal& journal,
                                       SearchObserver& observer);

}  // namespace bitpilot
