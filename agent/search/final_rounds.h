// Final rounds: the interleaved measurement that a search's results come from, made again if it was
// disturbed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/search/journal.h"
#include "agent/search/repeated_comparison.h"
#include "agent/search/search_observer.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

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
  // Of the last comparison, parallel to the assignments. The earlier ones are in the study, too.
  std::vector<MeasurementRow> rows;
  // Of the last one that measured energy, or of the first.
  std::vector<MeasurementRow> energy_rows;
  int comparisons = 1;
};

// Measures all networks in one AUDIT (a member takes at most 3 s), and again while that is NOISY
// (agent/search/repeated_comparison.h). Says so to the observer. Where a replayed log goes on
// without a second comparison, as those of an older bitpilot do, so does this.
//
// Errors: the journal's, those of job.networks and job.board, and the board's.
Result<FinalRounds> MeasureFinalRounds(const FinalRoundsJob& job, Journal& journal,
                                       SearchObserver& observer);

}  // namespace bitpilot
