#include "device_daemon/measurement/network_bench.h"

#include <cstddef>
#include <span>

#include "device_daemon/measurement/bench_pixels.h"
#include "device_daemon/measurement/disturbance.h"
#include "device_daemon/measurement/operation_timer.h"
#include "kernels/compiled_network.h"
#include "kernels/cpu/peak_loop.h"

namespace bitpilot {
namespace {

constexpr int kColdRuns = 15;
// More than the last-level cache that one core can fill on the machines that this runs on.
constexpr std::size_t kEvictionBytes = std::size_t{64} << 20;
constexpr std::size_t kCacheLineBytes = 64;
constexpr int kPeakRounds = 2000;

// Fills the caches of all threads' cores with other data: writes, so that no page is shared and every
// line is owned.
void EvictCaches(ThreadPool* pool, std::vector<std::uint8_t>& memory) {
  const ThreadPool::Awake awake(pool);
  ShareOut(pool, static_cast<int>(memory.size() / kCacheLineBytes),
           [&memory](int begin, int end, int) {
             for (int line = begin; line < end; ++line) {
               ++memory[static_cast<std::size_t>(line) * kCacheLineBytes];
             }
           });
}

double ColdMedianNs(const std::function<void()>& inference, ThreadPool* pool, MeasureClock& clock,
                    const ProgressFunction& progress) {
  std::vector<std::uint8_t> other_data(kEvictionBytes);
  std::vector<double> samples;
  for (int run = 0; run < kColdRuns; ++run) {
    EvictCaches(pool, other_data);
    const std::int64_t start_ns = clock.ThreadCpuNs();
    inference();
    samples.push_back(static_cast<double>(clock.ThreadCpuNs() - start_ns));
    progress({.phase = "cold caches", .windows_done = run + 1});
  }
  return Median(samples);
}

}  // namespace

Result<NetworkBench> BenchNetwork(const Network& network, Isa isa, ThreadPool* pool,
                                  MeasureClock& clock, const ProgressFunction& progress) {
  KernelChoices choices;
  const std::int64_t plan_start_ns = clock.WallNs();
  Result<CompiledNetwork> compiled =
      CompiledNetwork::Create(network, {.isa = isa, .choices = &choices, .pool = pool});
  if (!compiled.ok()) return compiled.status();
  const std::vector<std::uint8_t> pixels =
      BenchPixels(static_cast<std::size_t>(network.input_bytes()));
  std::vector<float> logits(static_cast<std::size_t>(network.num_classes()));
  const double plan_ns = static_cast<double>(clock.WallNs() - plan_start_ns);
  const std::function<void()> inference = [&] { compiled->Run(pixels, logits); };
  const PeakLoop& peak = SelectPeakLoop(isa);
  const std::vector<std::function<void()>> workloads = {inference,
                                                        [&peak] { peak.run(kPeakRounds); }};

  const SamplerPlan plan = PlanFor(v1::MeasureSpec::STANDARD);
  const Result<std::vector<WindowSeries>> series = SampleLatency(workloads, plan, clock, progress);
  if (!series.ok()) return series.status();
  const WindowSeries& warm = series->front();

  NetworkBench bench;
  bench.num_threads = compiled->num_threads();
  bench.latency_ns = SignTestInterval(warm.wall_ns);
  bench.cpu_median_ns = Median(warm.cpu_ns);
  bench.plan_ns = plan_ns;
  bench.peak_instructions = peak.instructions;
  bench.peak_macs_per_ns =
      static_cast<double>(kPeakRounds * peak.macs_per_round) / Median(series->back().cpu_ns);
  bench.disturbance = FindDisturbance(WithoutCommonDrift(*series).front(), plan);
  bench.cold_cpu_median_ns = ColdMedianNs(inference, pool, clock, progress);
  bench.weight_arena_bytes = compiled->weight_arena_bytes();
  bench.activation_arena_bytes = compiled->activation_arena_bytes();
  const std::vector<double> operation_ns =
      OperationMediansNs(*compiled, pixels, logits, clock, plan.window_ns);
  for (std::size_t i = 0; i < operation_ns.size(); ++i) {
    const int operation = static_cast<int>(i);
    const Operation& op = network.topology.operations[i];
    const std::int64_t macs = HasWeights(op) ? Macs(network.topology, operation) : 0;
    bench.operations.push_back({op.name, compiled->kernel_name(operation), operation_ns[i], macs});
    bench.macs += macs;
  }
  return bench;
}

}  // namespace bitpilot
