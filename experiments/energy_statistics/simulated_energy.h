// Trials of an energy phase on a board and a meter whose truth is known, with the product's own
// integration, estimate and ratio on top.
//
// Network A draws 5 W for 1 ms an inference, network B, its reference, 7 W for 2 ms, the resting
// board 3 W. Windows are interleaved as the product does it; both windows of a round share the
// board's slow change, and all share the meter's scale error.
#pragma once

#include <cstdint>

#include "experiments/timing_statistics/simulated_trials.h"

namespace bitpilot {

// Shares of trials whose 95 % interval covers the truth, in [0, 1].
struct CoveredShares {
  double gross = 0.0;  // Of network A.
  double net =
      0.0;  // Of network A; trials whose rests differ too much have none, and do not count.
  double ratio = 0.0;  // Gross, A to B.
  // Half-width of the ratio's interval as a fraction of the ratio, median over the trials.
  double ratio_half_width = 0.0;
};

// Every window's energy is off by `scale` times a draw of `noise`, every round by
// `slow_change` times a normal draw, the meter by a factor, constant, of up to `accuracy` (95 %).
//
// The truth is the mean of what the windows scatter around, which is the energy in the long run, also
// where the figure is the median of 6 windows and more. `noise_mean`: the noise's mean.
//
// REQUIRES: rounds >= 2; trials >= 1.
CoveredShares CoverEnergy(int rounds, const Noise& noise, double noise_mean, double scale,
                          double slow_change, double accuracy, int trials, std::uint64_t seed);

// Power that swings by 30 % around its mean in cycles of 3 to 50 sampling periods is sampled, with
// times that jitter, in windows of 200 periods: how much of a cycle a window holds, and what the
// samples at its edges miss, is left to chance. Scatter and edges are then the only errors.
CoveredShares CoverSampledEnergy(int rounds, double accuracy, int trials, std::uint64_t seed);

}  // namespace bitpilot
