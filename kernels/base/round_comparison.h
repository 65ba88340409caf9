// Comparisons of two networks that were measured in interleaved rounds, one window of each a round.
//
// What disturbs a whole round cancels in its ratio, so boards may drift by more than the networks
// differ. Only such rounds support the sentence "A is faster than B"; two separate measurements
// never do.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/base/window_statistics.h"

namespace bitpilot {

// Which times of the rounds to compare: the thread's CPU times, in which what other programs took
// counts for neither network, if there is one for every window; otherwise the wall times.
std::span<const double> TimesToCompare(std::span<const double> wall_ns,
                                       std::span<const double> cpu_ns);

// Median, with its exact interval, of candidate_ns[round] / reference_ns[round]. Rounds beyond the
// shorter list are ignored.
//
// REQUIRES: at least one common round; positive times.
MedianInterval RatioOfRounds(std::span<const double> candidate_ns,
                             std::span<const double> reference_ns);

// What CompareRounds() asks of a difference: that equally fast networks would split the rounds so
// unevenly more seldom than so, and that the ratio is further than so from 1.
inline constexpr double kClaimSignificance = 0.01;
inline constexpr double kClaimDifference = 0.01;

enum class Speed : std::uint8_t { kNoDifference, kFaster, kSlower };

// "no difference", "faster", "slower".
std::string_view ToString(Speed speed);

struct RoundComparison {
  MedianInterval ratio;  // candidate to reference, as RatioOfRounds()
  int rounds_faster = 0;
  int rounds_slower = 0;
  double p_value = 1.0;  // of the two-sided sign test that both are equally fast
  Speed speed = Speed::kNoDifference;
};

// Paired sign test over the rounds: how often would equally fast networks split the rounds as
// unevenly as these? The candidate is called faster or slower only if p_value * num_comparisons <
// 0.01 (Bonferroni: one table in a hundred says something wrong) and the ratio is more than 1 %
// from 1: up to 0.8 % between two copies of one network may last for all rounds
// (experiments/measurement_bars), most likely by where they lie in memory.
// Rounds in which both take the same time count for neither.
//
// REQUIRES: as RatioOfRounds(); num_comparisons >= 1.
// Source: Dixon and Mood, "The statistical sign test", JASA 41, 1946.
RoundComparison CompareRounds(std::span<const double> candidate_ns,
                              std::span<const double> reference_ns, int num_comparisons = 1);

}  // namespace bitpilot
