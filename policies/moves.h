// Moves: how new choices are made from old ones, and from tables.
#pragma once

#include <vector>

#include "policies/cost_model.h"
#include "policies/random_stream.h"
#include "policies/search_problem.h"
#include "policies/surrogate.h"

namespace bitpilot {

// `choice` with one to three variables moved to the next wider or narrower legal width. Where a
// direction does not exist the other one is taken. Variables with a single width never move. A
// variable of channels moves alone or, as often, with all others of its layer.
Choice NeighbourMove(const SearchProblem& problem, const Choice& choice, RandomStream& random);

// Each variable from `a` or `b`, with equal probability.
Choice Crossover(const Choice& a, const Choice& b, RandomStream& random);

// Every choice that differs from `choice` in exactly one variable.
std::vector<Choice> SingleChanges(const SearchProblem& problem, const Choice& choice);

// Minimizes loss_increase + nats_per_ratio x latency ratio in `world`, exactly within each group of
// variables that share operations as long as a group has at most one head
// (policies/bit_allocator.h); in one with more, the first one's widths are tried one by one and the
// other variables set one after the other.
//
// REQUIRES: nats_per_ratio >= 0.
Choice BestChoice(const SearchProblem& problem, const CostModel& cost, const World& world,
                  double nats_per_ratio);

}  // namespace bitpilot
