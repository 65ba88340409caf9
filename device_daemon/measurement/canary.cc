#include "device_daemon/measurement/canary.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/window_statistics.h"
#include "kernels/compiled_network.h"

namespace bitpilot {
namespace {

constexpr int kSamples = 5;
constexpr std::int64_t kSampleNs = 3'000'000;
constexpr std::uint32_t kSeed = 1;
constexpr double kLeastLimit = 0.03;
constexpr double kLimitOverScatter = 4.0;

// Mean thread CPU time of as many inferences as fill a sample.
double SampleNs(const std::function<void()>& inference, MeasureClock& clock) {
  const std::int64_t start_ns = clock.ThreadCpuNs();
  int inferences = 0;
  std::int64_t elapsed_ns = 0;
  while (elapsed_ns < kSampleNs) {
    inference();
    ++inferences;
    elapsed_ns = clock.ThreadCpuNs() - start_ns;
  }
  return static_cast<double>(elapsed_ns) / inferences;
}

}  // namespace

Result<std::function<void()>> CanaryInference(Isa isa) {
  const Result<Topology> topology = StandardTopology("resnet8");
  BITPILOT_CHECK(topology.ok());
  const Network network = RandomNetwork(*topology, UniformAssignment(*topology, 8, 8), kSeed);
  Result<CompiledNetwork> compiled = CompiledNetwork::Create(network, {isa});
  if (!compiled.ok()) return compiled.status();
  struct Ready {
    CompiledNetwork compiled;
    std::vector<std::uint8_t> pixels;
    std::vector<float> logits;
  };
  const auto ready = std::make_shared<Ready>(
      Ready{std::move(*compiled),
            std::vector<std::uint8_t>(static_cast<std::size_t>(network.input_bytes())),
            std::vector<float>(static_cast<std::size_t>(network.num_classes()))});
  return std::function<void()>([ready] { ready->compiled.Run(ready->pixels, ready->logits); });
}

double Canary::TimeOnce(MeasureClock& clock, double* scatter) const {
  inference_();  // fills the caches
  std::vector<double> samples;
  samples.reserve(kSamples);
  for (int i = 0; i < kSamples; ++i) samples.push_back(SampleNs(inference_, clock));
  const double median = Median(samples);
  if (scatter != nullptr) {
    for (double& sample : samples) sample = std::abs(sample / median - 1.0);
    *scatter = Median(samples);
  }
  return median;
}

void Canary::Look(std::uint64_t lease_epoch, MeasureClock& clock) {
  if (lease_epoch_ != lease_epoch) {
    lease_ns_ = latest_ns_ = TimeOnce(clock, &lease_scatter_);
    lease_epoch_ = lease_epoch;
    looked_ns_ = clock.WallNs();
  } else if (clock.WallNs() - looked_ns_ >= kIntervalNs) {
    LookNow(clock);
  }
}

void Canary::LookNow(MeasureClock& clock) {
  BITPILOT_CHECK(lease_ns_.has_value());
  double time_ns = TimeOnce(clock, nullptr);
  if (is_off(time_ns)) {
    const double again_ns = TimeOnce(clock, nullptr);
    if (std::abs(again_ns - *lease_ns_) < std::abs(time_ns - *lease_ns_)) time_ns = again_ns;
  }
  latest_ns_ = time_ns;
  looked_ns_ = clock.WallNs();
}

bool Canary::is_off(double time_ns) const {
  return std::abs(time_ns / lease_ns_.value() - 1.0) >
         std::max(kLeastLimit, kLimitOverScatter * lease_scatter_);
}

}  // namespace bitpilot
