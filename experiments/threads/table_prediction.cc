#include "experiments/threads/table_prediction.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "device_daemon/measurement/board_table.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/network.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/window_statistics.h"
#include "kernels/compiled_network.h"
#include "kernels/cpu/wall_time.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kSeed = 1;
constexpr double kRoundNs = 20e6;

// Every layer and tensor at a width of its own; the image has 8 bits.
BitAssignment DrawAssignment(const Topology& topology, std::mt19937_64& random) {
  BitAssignment assignment = UniformAssignment(topology, 8, 8, /*search_ends=*/true);
  const auto draw = [&random] { return 2 + static_cast<int>(random() % 7); };
  for (std::vector<ChannelRun>& runs : assignment.weight_bits) runs.front().bits = draw();
  for (std::size_t t = 1; t < assignment.activation_bits.size(); ++t) {
    assignment.activation_bits[t] = draw();
  }
  return assignment;
}

// A compiled network and what it runs on.
class Timed {
 public:
  static Result<Timed> Create(const Topology& topology, const BitAssignment& assignment,
                              const CompileOptions& options) {
    const Network network = RandomNetwork(topology, assignment, kSeed);
    Result<CompiledNetwork> compiled = CompiledNetwork::Create(network, options);
    if (!compiled.ok()) return compiled.status();
    return Timed(network, std::move(*compiled));
  }

  // Wall time of an inference.
  double Ns(int runs) {
    compiled_.Run(pixels_, logits_);  // Others filled the caches with their data.
    const std::int64_t start_ns = WallNs();
    for (int i = 0; i < runs; ++i) compiled_.Run(pixels_, logits_);
    return static_cast<double>(WallNs() - start_ns) / runs;
  }

 private:
  Timed(const Network& network, CompiledNetwork compiled)
      : compiled_(std::move(compiled)),
        pixels_(static_cast<std::size_t>(network.input_bytes())),
        logits_(static_cast<std::size_t>(network.num_classes())) {}

  CompiledNetwork compiled_;
  std::vector<std::uint8_t> pixels_;
  std::vector<float> logits_;
};

}  // namespace

Result<PredictionErrors> PredictByTable(const std::string& network, Isa isa,
                                        const CoreThreads& threads, int count, int rounds) {
  const Result<Topology> topology = StandardTopology(network);
  if (!topology.ok()) return topology.status();
  const Result<CostTable> table =
      MeasureCostTable(*topology, network, isa, threads, [](const Progress&) {});
  if (!table.ok()) return table.status();
  KernelChoices choices;
  const CompileOptions options{.isa = isa, .choices = &choices, .pool = threads.pool.get()};
  const BitAssignment eight = UniformAssignment(*topology, 8, 8, /*search_ends=*/true);
  Result<Timed> reference = Timed::Create(*topology, eight, options);
  if (!reference.ok()) return reference.status();
  const Result<Cost> reference_cost = PredictCost(*table, *topology, eight);
  if (!reference_cost.ok()) return reference_cost.status();
  const int runs = std::max(1, static_cast<int>(kRoundNs / reference->Ns(3)));
  std::mt19937_64 random(kSeed);
  std::vector<double> errors;
  for (int i = 0; i < count; ++i) {
    const BitAssignment assignment = DrawAssignment(*topology, random);
    const Result<Cost> predicted = PredictCost(*table, *topology, assignment);
    if (!predicted.ok()) return predicted.status();
    Result<Timed> candidate = Timed::Create(*topology, assignment, options);
    if (!candidate.ok()) return candidate.status();
    std::vector<double> ratios;
    for (int round = 0; round < rounds; ++round) {
      const double reference_ns = reference->Ns(runs);
      ratios.push_back(candidate->Ns(runs) / reference_ns);
    }
    const double ratio = predicted->latency_ns / reference_cost->latency_ns;
    errors.push_back(std::fabs(ratio / Median(ratios) - 1.0));
  }
  return PredictionErrors{Median(errors), *std::max_element(errors.begin(), errors.end())};
}

}  // namespace bitpilot
