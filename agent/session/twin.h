// The twin: uniform 8 bit trained alone, from the start and by the schedule of the whole search,
// before the search begins. What a candidate's loss is compared with (policies/reward.h), and a
// start of the final training.
//
// Outside of the budgets. Its readings, its losses on every image and its end are kept in the
// user's cache: searches of the same network, weights, images, schedule and CPU class share one
// twin. Until it has ended they are kept beside the study, too, which needs no cache to go on.
#pragma once

#include <functional>
#include <string>

#include "agent/results/search_observer.h"
#include "agent/session/placed_training.h"
#include "agent/session/twin_cache.h"
#include "agent/session/twin_losses.h"
#include "agent/study/events.h"
#include "agent/study/journal.h"
#include "agent/study/search_config.h"
#include "agent/study/study_files.h"
#include "kernels/base/status.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Readings of the twin, evenly over the budget of mini-batches, both ends included; of an extension, over
// what the budget has more.
inline constexpr int kTwinReadings = 9;

// Trains the twin, or takes it from the cache or the log. Where nothing trains: one reading of
// calibrated uniform 8 bit.
//
// Interrupted, it goes on from the last reading that the study's files or the cache hold.
//
// start: the place that everything begins from.
//
// Errors: the journal's and the files'; kAborted if `stop` became true; kInvalidArgument if 8 bits
// diverge at this learning rate: no search could train then.
Result<AnchorEvent> SettleTwin(const SearchConfig& config, const SearchProblem& problem,
                               const StoredFile& start, PlacedTraining& training,
                               const TwinCache& cache, Journal& journal, const StudyFiles& files,
                               SearchObserver& observer);

// Trains the twin on, where an extended search may train `total` mini-batches in all: from its end, by
// the rate of a search that had come to its end (policies/pace.h), with new readings behind those of
// before. A search that stopped before it had spent its mini-batches goes on at a higher rate than that.
//
// twin: as SettleTwin() or this function returned it. Without losses, as of an older bitpilot, it gets
// none.
//
// Errors: as SettleTwin(). REQUIRES: training.trains(), total is more than the twin has had.
Result<AnchorEvent> ExtendTwin(const SearchConfig& config, const SearchProblem& problem,
                               const AnchorEvent& twin, int total, PlacedTraining& training,
                               const TwinCache& cache, Journal& journal, const StudyFiles& files,
                               SearchObserver& observer);

// The losses that belong to an anchor of the log; empty of an older bitpilot's, which kept none.
//
// Errors: the files'; kDataCorrupt if they are of another anchor.
Result<TwinLosses> LossesOf(const AnchorEvent& twin, const StudyFiles& files);

}  // namespace bitpilot
