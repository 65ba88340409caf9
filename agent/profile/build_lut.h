// From the raw measurements of a profile to its table.
#pragma once

#include "agent/profile/lut.h"
#include "agent/profile/profile_data.h"
#include "agent/profile/profile_plan.h"
#include "kernels/base/bit_assignment.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Every operation's time in every network, on one scale, then pooled:
//
//   1. The clock that times operations costs a little each time: the median, over all networks, of
//      (sum of the operations - whole inference) / operations is taken from each.
//   2. What remains is scaled so that it sums to ratio x reference: the network's ratio to the
//      8-bit network of its own interleaved rounds, of thread CPU times, and the median wall time
//      of that network in all measurements that nothing disturbed (if each was disturbed, its
//      median thread CPU time in all). A machine that is slow or busy for a while so changes no
//      entry against another.
//   3. Layers of equal shape take the same time at the same widths, so they share their samples; an
//      entry is the median of its pool.
//
// The check networks are predicted from the result.
//
// A bounded profile may have ended early: pairs that it did not reach have no entry (see
// agent/profile/missing_pairs.h).
//
// Errors: kDataCorrupt if a result does not fit the plan, or the board gave no operation times.
Result<Lut> BuildLut(const Topology& topology, const ProfilePlan& plan, const ProfileData& data);

// Predicted latency of `assignment` as a ratio to uniform 8 bit, ends included.
//
// Errors: PredictCost()'s.
Result<double> PredictRatio(const CostTable& table, const Topology& topology,
                            const BitAssignment& assignment);

}  // namespace bitpilot
