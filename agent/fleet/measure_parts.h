// Measure parts: a comparison of more networks than a board takes at a time, in parts that it takes.
#pragma once

#include <cstdint>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/network.h"

namespace bitpilot {

// Splits networks that are compared with the first one, which is in every part: ratios to it hold
// in each, but networks of two parts share no rounds. One part if the board takes all of them; the
// fewest otherwise, in order, of nearly equal sizes. Two networks are never parted: whether the
// board can measure those is for the board to say.
//
// Memory is estimated from the networks' weights and activations.
//
// REQUIRES: networks is not empty; all are valid.
std::vector<std::vector<const Network*>> PartsThatFit(const std::vector<const Network*>& networks,
                                                      const BoardLimits& limits);

}  // namespace bitpilot
