// Job forecast: how long a measurement takes at most, and how long it may be silent, by what was
// timed so far. Limits are made of it, so that a slow network is slow and not dead.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "device_daemon/measurement/latency_sampler.h"
#include "kernels/base/topology.h"

namespace bitpilot {

class JobForecast {
 public:
  JobForecast(SamplerPlan plan, std::size_t num_networks);

  // One inference of network `index` takes so long; the latest one counts.
  void SetInference(std::size_t index, double inference_ns);

  // What warm-ups and rounds still take, if the plan runs to its last checkpoint, after
  // `rounds_done` rounds and `windows_done` windows of the next. A network that was not timed yet
  // counts as the slowest of the others; 0 if none was.
  std::int64_t RemainingNs(int rounds_done, std::size_t windows_done) const;

  // No window takes as long: eight times the longest that is expected; 0 if nothing was timed.
  std::int64_t SilenceNs() const;

 private:
  double InferenceNs(std::size_t index) const;
  double WindowNs(std::size_t index) const;

  SamplerPlan plan_;
  std::vector<double> inference_ns_;  // [num_networks]; 0: not timed yet
  double slowest_ns_ = 0.0;
};

// How long the first inference of a network, or the choice of one layer's kernels, may be silent:
// what its products take on a CPU of ten million a second, which is slower than any that Linux runs
// on.
std::int64_t FirstSilenceNs(const Topology& topology);

}  // namespace bitpilot
