// Shapes that a short series of window means may have instead of one level with noise: a trend, a
// step, two speeds.
//
// A finding needs both a size (the caller's limit, so that what does not matter is not reported)
// and evidence by ranks (so that the heavy tails of timing noise do not look like one). With the
// limits of the STANDARD tier, clean runs are flagged in less than 2 %, and a ramp of 5 %, a step
// of 5 % in the middle half, or two windows of 15 % more in 97 % and more; the table is in
// experiments/timing_statistics.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace bitpilot {

// Changes are fractions of the series' median.
struct Trend {
  double change = 0.0;  // Theil-Sen slope times the length: first window to last.
  double misfit = 0.0;  // Sum of absolute residuals.
};

struct Step {
  std::size_t after = 0;  // Windows before the step.
  double change = 0.0;    // Median behind it minus median before it.
  double misfit = 0.0;    // Sum of absolute residuals.
};

struct TwoSpeeds {
  std::size_t slow_windows = 0;
  double slower_by = 0.0;  // Median of the slow windows over the median of the others, minus 1.
};

// A monotonic trend of more than `min_change`: Mann-Kendall test at 1.2 %, two-sided.
//
// Source: Mann, "Nonparametric tests against trend", Econometrica 13, 1945; Sen, "Estimates of the
// regression coefficient based on Kendall's tau", JASA 63, 1968.
std::optional<Trend> FindTrend(std::span<const double> values, double min_change);

// One step of more than `min_change` with at least three windows on either side: the split that
// leaves the least misfit, of those where a rank sum test and 90 % of the pairs across it say that
// one side is slower, and where the step is larger than three times the scatter around it.
// Interruptions only add time, so the slowest third of the faster side may be spikes: the test
// leaves it out.
//
// Source: Pettitt, "A non-parametric approach to the change-point problem", Applied Statistics 28,
// 1979, for rank sums over splits; the trimming is ours.
std::optional<Step> FindStep(std::span<const double> values, double min_change);

// Two groups of windows, in whatever order, with nothing between them: a gap in the sorted values
// of more than `min_gap`, of more than four times the larger group's scatter and of more than twice
// the smaller's (spikes have no speed in common). Each group has at least two windows and at least
// a tenth of all.
std::optional<TwoSpeeds> FindTwoSpeeds(std::span<const double> values, double min_gap);

}  // namespace bitpilot
