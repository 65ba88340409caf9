// Trials of the latency sampler on a machine whose truth is known: simulated time, networks whose
// window means are a level times noise, and the product's own sampler and judgement on top.
//
// One inference lasts longer than the tier's window, so every window holds one inference and is one
// draw of the noise, and the true median of the window means is the level itself.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "device_daemon/measurement/latency_sampler.h"

namespace bitpilot {

using Random = std::mt19937_64;

// Noise of window means: independent draws with median 0 and a scale of about 1.
struct Noise {
  std::string name;
  std::function<double(Random&)> draw;
};

// Normal; Student's t with 3 and 2 degrees of freedom (the latter has no variance); and, since
// interruptions only ever add time, three that lean to one side: exponential, log-normal, Pareto
// with exponent 1.5 (no variance either).
std::vector<Noise> AllNoises();

// What one window's latency is multiplied by; `window` counts the timed windows from 0.
using Level = std::function<double(int window, Random& random)>;

Level Constant(double level);
Level Ramp(double change, int windows);  // Over so many windows, and on at that slope.
Level StepAfter(double change, int windows);
Level SlowAtRandom(double share, double slower_by);

struct Trial {
  std::vector<WindowSeries> series;       // As measured.
  std::vector<std::string> disturbances;  // Parallel; empty where the verdict is OK.
  double seconds = 0.0;                   // That the machine took, warm-up included.

  bool noisy() const;
};

// Latency of a network of level 1.
double UnitLatencyNs(v1::MeasureSpec::Tier tier);

// Measures networks with these levels, interleaved, on a machine with `noise` times `scale`; in windows
// twice as long, `window_doublings` times over, of so many more inferences.
//
// REQUIRES: at least one level.
Trial RunTrial(v1::MeasureSpec::Tier tier, const std::vector<Level>& levels, const Noise& noise,
               double scale, Random& random, int window_doublings = 0);

// Share of trials whose interval covers the truth, at least one trial.
double Coverage(v1::MeasureSpec::Tier tier, const Noise& noise, double scale, int trials,
                std::uint64_t seed);

// Share of NOISY verdicts among the trials for which `counts` is true; one network.
double NoisyShare(v1::MeasureSpec::Tier tier, const Level& level, const Noise& noise, double scale,
                  int trials, std::uint64_t seed,
                  const std::function<bool(const Trial&)>& counts = {});

// How often an interleaved comparison calls a network of `ratio` times the other's latency faster,
// slower, or neither; how often its verdict is OK, and how often the median is then within 1 % of
// `ratio`.
struct Claims {
  int faster = 0;
  int slower = 0;
  int no_difference = 0;
  int ok = 0;
  int ok_within_1_percent = 0;
};
Claims CountClaims(v1::MeasureSpec::Tier tier, double ratio, const Noise& noise, double scale,
                   int trials, std::uint64_t seed);

}  // namespace bitpilot
