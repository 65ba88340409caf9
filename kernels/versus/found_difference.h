// How small a difference a comparison of interleaved rounds finds on a board, read from what two copies of
// one network show: how rounds scatter within a comparison, and how far whole blocks of them are apart.
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

// How far the medians of whole blocks leave a ratio open.
struct BlockScatter {
  double standard_error = 0.0;  // of one comparison's ratio, as a fraction of it
  int known_by = 0;             // degrees of freedom of that estimate
  // Of the Student interval that a comparison takes from its own blocks, at least 1.
  int degrees_of_freedom = 0;
};

// The same of whole blocks: of a network d slower the ratio is further than kClaimDifference from 1, and 1
// is outside of Student's 95 % interval of the comparison's own blocks, in kStatedPower of comparisons.
//
// Blocks count as independent and normal. That their scatter is an estimate is in the figure: of many
// comparisons, each of which states its own, kStatedPower find a difference of that size. So it is larger
// than if the scatter was known, the more so the fewer blocks there are.
//
// Source: predictive power over the posterior of the variance, as Spiegelhalter and Freedman, "A predictive
// approach to selecting the size of a clinical trial", Statistics in Medicine 5, 1986; here for a size that
// is given.
//
// REQUIRES: known_by >= 1, degrees_of_freedom >= 1.
std::optional<double> SmallestDifferenceFound(const BlockScatter& blocks);

}  // namespace bitpilot
