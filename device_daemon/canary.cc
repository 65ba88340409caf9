#include "device_daemon/canary.h"

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

void Canary::Look(std::uint64_t lease_epoch, MeasureClock& clock) {
  const bool new_lease = lease_epoch_ != lease_epoch;
  if (!new_lease && clock.WallNs() - looked_ns_ < kIntervalNs) return;
  inference_();  // fills the caches
  std::vector<double> samples;
  for (int i = 0; i < kSamples; ++i) samples.push_back(SampleNs(inference_, clock));
  latest_ns_ = Median(samples);
  if (new_lease) lease_ns_ = latest_ns_;
  lease_epoch_ = lease_epoch;
  looked_ns_ = clock.WallNs();
}

}  // namespace bitpilot
