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

CanaryTime Canary::TimeOnce(MeasureClock& clock) const {
  inference_();  // fills the caches
  std::vector<double> samples;
  samples.reserve(kSamples);
  for (int i = 0; i < kSamples; ++i) samples.push_back(SampleNs(inference_, clock));
  const double median = Median(samples);
  for (double& sample : samples) sample = std::abs(sample / median - 1.0);
  return {median, Median(samples)};
}

void Canary::NoteBest(const CanaryTime& best) {
  if (reference_ == Reference::kBestSinceBoot && (!best_ || best.ns < best_->ns)) best_ = best;
}

bool Canary::Look(std::uint64_t lease_epoch, MeasureClock& clock) {
  if (lease_epoch_ == lease_epoch) {
    if (clock.WallNs() - looked_ns_ >= kIntervalNs) LookNow(clock);
    return false;
  }
  const CanaryTime time = TimeOnce(clock);
  lease_ns_ = latest_ns_ = time.ns;
  lease_scatter_ = time.scatter;
  if (reference_ == Reference::kLease) {
    best_ = time;
  } else {
    NoteBest(time);
  }
  lease_epoch_ = lease_epoch;
  looked_ns_ = clock.WallNs();
  return true;
}

void Canary::LookNow(MeasureClock& clock) {
  BITPILOT_CHECK(lease_ns_.has_value());
  double time_ns = TimeOnce(clock).ns;
  if (is_slow(time_ns)) {
    time_ns = std::min(time_ns, TimeOnce(clock).ns);
  } else if (is_fast(time_ns)) {
    time_ns = std::max(time_ns, TimeOnce(clock).ns);
  }
  latest_ns_ = time_ns;
  NoteBest({time_ns, best_->scatter});
  looked_ns_ = clock.WallNs();
}

bool Canary::is_slow(double time_ns) const {
  return time_ns / best_.value().ns - 1.0 >
         std::max(kLeastLimit, kLimitOverScatter * best_->scatter);
}

bool Canary::is_fast(double time_ns) const {
  return 1.0 - time_ns / lease_ns_.value() >
         std::max(kLeastLimit, kLimitOverScatter * lease_scatter_);
}

}  // namespace bitpilot
