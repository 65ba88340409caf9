// The results of several seeds as text.
#pragma once

#include <string>
#include <vector>

#include "experiments/headline/seed_result.h"
#include "experiments/headline/verdict.h"
#include "kernels/base/status.h"

namespace bitpilot {

// Each part of the bar on a line of its own, and whether it is met.
//
// REQUIRES: CheckSeeds().
std::string BarsText(const std::vector<SeedResult>& seeds);

// The rows of every seed, their means with both intervals, and the bars.
//
// Errors: CheckSeeds()'s.
Result<std::string> HeadlineText(const std::vector<SeedResult>& seeds);

}  // namespace bitpilot
