// Statistics of a measurement: what a handful of window means says about the latency of one
// inference.
//
// A *window* times many inferences in a row and divides; its mean is one sample. Medians are used
// throughout: interruptions only ever add time, so a mean of means would be biased upward.
#pragma once

#include <span>

namespace bitpilot {

// The middle value, or the mean of the two middle ones.
//
// REQUIRES: values is not empty.
double Median(std::span<const double> values);

// A median and the exact interval that the sign test gives: an order statistic at each end, with no
// assumption on the shape of the distribution.
struct MedianInterval {
  double median = 0.0;
  double low = 0.0;
  double high = 0.0;
  double confidence =
      0.0;  // Exact probability that [low, high] covers the true median, for independent samples.

  // Half the interval's width as a fraction of the median.
  double relative_half_width() const { return (high - low) / (2.0 * median); }
};

// The narrowest interval [x(k), x(n + 1 - k)] whose confidence 1 - 2 P(Binomial(n, 1/2) <= k - 1)
// is at least 0.95: n = 9 gives [x2, x9-1] at 96.1 %, n = 15 [x4, x12] at 96.5 %, n = 21 [x6, x16]
// at 97.3 %, n = 31 [x10, x22] at 97.1 %. Fewer than 6 samples cannot reach 95 %: then the interval
// is their whole range and `confidence` says what that is worth.
//
// REQUIRES: values is not empty.
MedianInterval SignTestInterval(std::span<const double> values);

// A value and the half-width of its 95 % interval.
struct CenteredInterval {
  double value = 0.0;
  double half_width = 0.0;
};

// How many standard errors reach from a mean to the ends of its 95 % interval (Student's t): 12.71
// with one degree of freedom, 4.30 with two, 2.78 with four; within 2e-4 of the exact value.
//
// REQUIRES: degrees_of_freedom >= 1.
double StudentT95(int degrees_of_freedom);

// What few values scatter around. Of 2 to 5 their mean, by Student's t: exact where they scatter
// normally, and the only way, since no order statistics of fewer than 6 values reach 95 %. From 6
// on their median, whatever the shape: the half-width reaches to the farther end of
// SignTestInterval().
//
// REQUIRES: at least two values.
CenteredInterval CenteredInterval95(std::span<const double> values);

// Exact two-sided p-value of the sign test: the probability that `first` + `second` fair coins
// split at least as unevenly. 1 without any.
//
// REQUIRES: neither is negative.
double SignTestPValue(int first, int second);

// median(last third) / median(first third) - 1: how far the latency moved while it was measured. 0
// for fewer than three values.
double Drift(std::span<const double> values);

// Least-squares slope over the values' whole span as a fraction of their mean: 0 when steady.
//
// REQUIRES: at least two values, all positive.
double RelativeSlope(std::span<const double> values);

}  // namespace bitpilot
