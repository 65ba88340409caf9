// How sure an accuracy, and a difference of two accuracies on the same images, is.
#pragma once

#include <cstdint>
#include <span>

#include "agent/study/final_event.h"

namespace bitpilot {

struct Interval {
  double low = 0.0;
  double high = 0.0;
};

// 95 % Wilson score interval of `correct` of `total` (total > 0), in [0, 1].
//
// Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
// (1927).
Interval WilsonInterval(std::int64_t correct, std::int64_t total);

struct PairedDifference {
  double difference = 0.0;  // accuracy of this network (b) - accuracy of the reference (a)
  Interval interval;        // 95 %
};

// Classifier `b` against the reference `a`.
//
// a, b, labels: [N] classes, N > 0.
PairedCounts CountPairs(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b,
                        std::span<const std::uint8_t> labels);

// Difference of two classifiers on the same images, from the discordant pairs, with Newcombe's
// hybrid-score interval (his method 10), which stays sound when few images differ.
//
// REQUIRES: counts.total() > 0; none is negative.
//
// Source: Newcombe, "Improved confidence intervals for the difference between binomial proportions
// based on paired data", Statistics in Medicine 17 (1998).
PairedDifference ComparePairs(const PairedCounts& counts);

// ComparePairs() of CountPairs().
PairedDifference ComparePredictions(std::span<const std::uint8_t> a,
                                    std::span<const std::uint8_t> b,
                                    std::span<const std::uint8_t> labels);

}  // namespace bitpilot
