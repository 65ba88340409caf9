// Ways to spend the same readings and mini-batches on a PlanningToy.
#pragma once

#include <cstdint>

#include "experiments/planning/planning_toy.h"

namespace bitpilot {

// Excess loss, in nats, of each arm's answer after the final training. All arms read the loss
// PlanningToy::kDecisions times and train as many mini-batches in all, but the first, which reads nothing.
// Each answers with the lowest mean that it believes in.

// Trains the best choice by the probe from the first mini-batch to the last.
double NoReadingLoss(const PlanningToy& toy, std::uint64_t seed);

// Models the loss by choices alone, draws a world (Thompson sampling), trains at its best choice and
// reads that: what it learns of early choices, on less trained weights, stays in the model.
double StateBlindLoss(const PlanningToy& toy, std::uint64_t seed);

// Searches on the untrained weights, reading nothing twice, then trains its answer.
double TwoStageLoss(const PlanningToy& toy, std::uint64_t seed);

// Believes as the lookahead does, policies/loss_belief.h, but does not plan: draws a world and trains
// at the choice that would end best in it (Thompson sampling).
double BeliefLoss(const PlanningToy& toy, std::uint64_t seed);

// Plans with policies/lookahead.h: trains 0, 1, 2, 4 or 8 times kBatchesPerStep at a decision, and what
// the search has left at its answer.
double LookaheadLoss(const PlanningToy& toy, std::uint64_t seed);

}  // namespace bitpilot
