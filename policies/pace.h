// Pace: how fast a search trains by default. The learning rate falls by half a cosine over the
// mini-batches that the search has spent, over all places: not over a place's depth, so that a search
// that comes back to an early place does not train as wildly as one that begins.
//
//   share(s) = peak (1 + cos(pi (s - begin) / (end - begin))) / 2
//
// begin, end: 0 and the total of mini-batches, peak 1. Where the total was raised after `begin`
// mini-batches, the rate goes on from there to the new total: from the share that it had come down to,
// and from no less than .1.
#pragma once

#include "policies/environment.h"
#include "policies/view.h"

namespace bitpilot {

// Where a raised total begins, at least.
inline constexpr double kExtensionRate = 0.1;

// Share of the search's learning rate after `spent` mini-batches, in [0, 1]; 0 from the total on.
//
// REQUIRES: Conditions have come; spent >= 0.
double RateShareAt(const View& view, int spent);

// `batches` mini-batches, or as many as are left, that follow `ahead` ones which are decided but not
// submitted yet.
//
// REQUIRES: Conditions have come; batches, ahead >= 0.
Pace PaceOf(const View& view, int batches, int ahead = 0);

}  // namespace bitpilot
