// How small a difference a comparison of interleaved rounds finds on a board: read from rounds of two
// copies of one network, which show how such rounds scatter where there is nothing to find.
#pragma once

#include <optional>
#include <span>

namespace bitpilot {

// How often the difference that SmallestDifferenceFound() states is found.
inline constexpr double kStatedPower = 0.95;

// The smallest d, in steps of 0.001, so that of a network d slower CompareRounds() says "slower" in
// kStatedPower of comparisons: of as many rounds as there are ratios, which scatter like these.
// nullopt if none up to 1 (twice as long) is found so often: too few rounds, or too much scatter.
//
// Each ratio counts as itself and as its inverse: which copy came first is chance. A lasting offset
// between the copies is then scatter in both directions. Rounds count as independent.
//
// It is itself estimated, from as many rounds: the share of comparisons that find it scatters around
// kStatedPower, within a few percent for 96 rounds (experiments/timing_statistics).
//
// same_ratios: of the copies' times, one a round; positive.
std::optional<double> SmallestDifferenceFound(std::span<const double> same_ratios);

}  // namespace bitpilot
