#include "device_daemon/measurement/job_forecast.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace bitpilot {
namespace {

// An inference may be disturbed: a window of one took several times as long before.
constexpr double kSilenceWindows = 8.0;
constexpr double kWarmUpInferences = 3.0;
constexpr double kSlowestMacNs = 100.0;
// Runs of one layer while its kernels are chosen: four candidates, some rounds each.
constexpr double kRunsOfATunedLayer = 16.0;

}  // namespace

JobForecast::JobForecast(SamplerPlan plan, std::size_t num_networks)
    : plan_(std::move(plan)), inference_ns_(num_networks, 0.0) {}

void JobForecast::SetInference(std::size_t index, double inference_ns) {
  inference_ns_[index] = inference_ns;
  slowest_ns_ = *std::max_element(inference_ns_.begin(), inference_ns_.end());
}

double JobForecast::InferenceNs(std::size_t index) const {
  return inference_ns_[index] > 0.0 ? inference_ns_[index] : slowest_ns_;
}

// With the untimed inference before it, where networks alternate.
double JobForecast::WindowNs(std::size_t index) const {
  const double inference_ns = InferenceNs(index);
  const double inferences = std::ceil(static_cast<double>(plan_.window_ns) / inference_ns);
  return inference_ns * (inferences + (inference_ns_.size() > 1 ? 1.0 : 0.0));
}

std::int64_t JobForecast::RemainingNs(int rounds_done, std::size_t windows_done) const {
  if (slowest_ns_ <= 0.0) return 0;
  double round_ns = 0.0;
  double warmup_ns = 0.0;
  for (std::size_t i = 0; i < inference_ns_.size(); ++i) {
    round_ns += WindowNs(i);
    const std::int64_t longest_ns = i == 0 ? plan_.first_warmup_max_ns : plan_.warmup_max_ns;
    warmup_ns += std::max(static_cast<double>(longest_ns), kWarmUpInferences * InferenceNs(i));
  }
  const double rounds =
      plan_.checkpoints.back() - rounds_done -
      static_cast<double>(windows_done) / static_cast<double>(inference_ns_.size());
  const bool is_warm = rounds_done > 0 || windows_done > 0;
  return std::llround(rounds * round_ns + (is_warm ? 0.0 : warmup_ns));
}

std::int64_t JobForecast::SilenceNs() const {
  if (slowest_ns_ <= 0.0) return 0;
  double longest_ns = 0.0;
  for (std::size_t i = 0; i < inference_ns_.size(); ++i) {
    longest_ns = std::max(longest_ns, WindowNs(i));
  }
  return std::llround(kSilenceWindows * longest_ns);
}

std::int64_t FirstSilenceNs(const Topology& topology) {
  double all = 0.0;
  double largest = 0.0;
  for (const int operation : LayerOperations(topology)) {
    const auto macs = static_cast<double>(Macs(topology, operation));
    all += macs;
    largest = std::max(largest, macs);
  }
  return std::llround(kSlowestMacNs * std::max(all, kRunsOfATunedLayer * largest));
}

}  // namespace bitpilot
