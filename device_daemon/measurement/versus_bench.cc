#include "device_daemon/measurement/versus_bench.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "device_daemon/measurement/bench_pixels.h"
#include "device_daemon/measurement/disturbance.h"
#include "kernels/base/round_comparison.h"
#include "kernels/compiled_network.h"

namespace bitpilot {
namespace {

// As where the networks are measured for a search (measurement.h): two are one measurement.
Result<VersusBlock> TimeOnce(const Network& first, const Network& second, const SamplerPlan& plan,
                             Isa isa, ThreadPool* pool, KernelChoices& choices, MeasureClock& clock,
                             const ProgressFunction& progress) {
  std::vector<CompiledNetwork> compiled;
  for (const Network* network : {&first, &second}) {
    Result<CompiledNetwork> one =
        CompiledNetwork::Create(*network, {.isa = isa, .choices = &choices, .pool = pool});
    if (!one.ok()) return one.status();
    compiled.push_back(std::move(*one));
  }
  const std::vector<std::uint8_t> pixels =
      BenchPixels(static_cast<std::size_t>(first.input_bytes()));
  std::vector<float> logits(static_cast<std::size_t>(first.num_classes()));
  std::vector<std::function<void()>> workloads;
  for (CompiledNetwork& one : compiled) {
    workloads.emplace_back([&one, &pixels, &logits] { one.Run(pixels, logits); });
  }
  Result<std::vector<WindowSeries>> series = SampleLatency(workloads, plan, clock, progress);
  if (!series.ok()) return series.status();
  VersusBlock block;
  for (const std::string& found : FindDisturbances(*series, plan)) {
    if (block.disturbance.empty()) block.disturbance = found;
  }
  const auto times = [pool](const WindowSeries& one) {
    if (pool != nullptr) return one.wall_ns;
    const std::span<const double> span = TimesToCompare(one.wall_ns, one.cpu_ns);
    return std::vector<double>(span.begin(), span.end());
  };
  block.times_ns = {times(series->front()), times(series->back())};
  block.wall_ns = {std::move(series->front().wall_ns), std::move(series->back().wall_ns)};
  return block;
}

}  // namespace

Result<VersusBlock> BenchVersusBlock(const Network& a, const Network& b, const VersusTurn& turn,
                                     bool is_long, Isa isa, ThreadPool* pool,
                                     KernelChoices& choices, MeasureClock& clock,
                                     const ProgressFunction& progress) {
  v1::MeasureSpec spec;
  spec.set_tier(v1::MeasureSpec::AUDIT);
  spec.set_window_doublings(is_long ? kVersusAuditDoublings : 0);
  SamplerPlan plan = PlanFor(spec);
  const bool is_first = turn.same && turn.block == 0;
  if (!is_first) plan.MakeWarm();
  const Network* first = &a;
  const Network* second = turn.same ? &a : &b;
  if (turn.second_first()) std::swap(first, second);
  for (int tried = 1;; ++tried) {
    Result<VersusBlock> block =
        TimeOnce(*first, *second, plan, isa, pool, choices, clock, progress);
    if (!block.ok()) return block.status();
    if (block->disturbance.empty() || tried >= turn.max_tries) {
      block->tried = tried;
      return WithAFirst(std::move(*block), turn);
    }
  }
}

}  // namespace bitpilot
