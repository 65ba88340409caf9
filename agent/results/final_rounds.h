// Final rounds: the interleaved measurement that a search's results come from, made again if it was
// disturbed.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "agent/results/interleaved_rows.h"
#include "agent/results/repeated_comparison.h"
#include "agent/results/search_observer.h"
#include "agent/study/events.h"
#include "agent/study/journal.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct FinalRoundsJob {
  // Measurements are called `prefix`-0, `prefix`-1, ...; those of the second comparison
  // `prefix`-again-2-0, and so on; uniform 8 bit in a second part `prefix`-part-2-0.
  std::string prefix;
  std::vector<BitAssignment> assignments;  // the first is uniform 8 bit
  ClassId on = kOnlyClass;                 // whose board measures
  bool energy = false;
  bool long_audit = false;  // 100 rounds of 100 ms instead of 24 to 40 of 20 ms
  // Asked only if the log does not answer. Networks are parallel to assignments.
  std::function<Result<std::vector<const Network*>>()> networks;
  std::function<Result<Board*>()> board;
  // Takes from the log what is no measurement of these rounds and may stand before any of them. May be empty.
  std::function<Status()> take_between;
};

struct FinalRounds {
  // Of the last comparison; rows are parallel to the assignments. The earlier ones are in the
  // study, too.
  InterleavedRows latency;
  // Of the last one that measured energy, or of the first.
  InterleavedRows energy;
  int comparisons = 1;
};

// Measures all networks in one AUDIT (a member takes at most 3 s), or in as few as the board's
// limits allow, with uniform 8 bit in each (agent/fleet/measure_parts.h); and again while one is
// NOISY (agent/results/repeated_comparison.h). Says so to the observer. Where a replayed log goes on
// without a second comparison, as those of an older bitpilot do, so does this; and its parts are
// those of the log.
//
// Errors: the journal's, those of job.networks and job.board, and the board's.
Result<FinalRounds> MeasureFinalRounds(const FinalRoundsJob& job, Journal& journal,
                                       SearchObserver& observer);

}  // namespace bitpilot
