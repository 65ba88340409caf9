#include "device_daemon/measurement/board_table.h"

#include <cstddef>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/base/window_statistics.h"
#include "kernels/compiled_network.h"
#include "kernels/runtime/kernel_build_id.h"

namespace bitpilot {
namespace {

constexpr std::uint64_t kWeightSeed = 1;  // any: times do not depend on the data
constexpr int kMinRounds = 5;
constexpr int kMaxRounds = 101;
constexpr std::int64_t kBudgetNs = 40'000'000;  // of one pair of widths, once kMinRounds are done

// One uniform network and the times of its runs.
class Timed {
 public:
  static Result<Timed> Create(const Topology& topology, int weight_bits, int activation_bits,
                              const CompileOptions& options) {
    const Network network = RandomNetwork(
        topology, UniformAssignment(topology, weight_bits, activation_bits, /*search_ends=*/true),
        kWeightSeed);
    Result<CompiledNetwork> compiled = CompiledNetwork::Create(network, options);
    if (!compiled.ok()) return compiled.status();
    return Timed(network, std::move(*compiled));
  }

  // One run as a whole, then one operation by operation.
  void Sample(MeasureClock& clock) {
    const std::int64_t start_ns = clock.ThreadCpuNs();
    compiled_.Run(pixels_, logits_);
    run_ns_.push_back(static_cast<double>(clock.ThreadCpuNs() - start_ns));
    std::vector<std::int64_t> nanoseconds(operation_ns_.size(), 0);
    compiled_.RunTimed(pixels_, logits_, nanoseconds);
    for (std::size_t i = 0; i < nanoseconds.size(); ++i) {
      operation_ns_[i].push_back(static_cast<double>(nanoseconds[i]));
    }
  }

  double run_ns() const { return Median(run_ns_); }

  // Medians of the operations, scaled to add up to run_ns().
  std::vector<double> OperationNs() const {
    std::vector<double> medians;
    for (const std::vector<double>& samples : operation_ns_) medians.push_back(Median(samples));
    const double sum_ns = std::accumulate(medians.begin(), medians.end(), 0.0);
    for (double& ns : medians) ns *= run_ns() / sum_ns;
    return medians;
  }

 private:
  Timed(const Network& network, CompiledNetwork compiled)
      : compiled_(std::move(compiled)),
        pixels_(static_cast<std::size_t>(network.input_bytes())),
        logits_(static_cast<std::size_t>(network.num_classes())),
        operation_ns_(static_cast<std::size_t>(compiled_.num_operations())) {}

  CompiledNetwork compiled_;
  std::vector<std::uint8_t> pixels_;
  std::vector<float> logits_;
  std::vector<double> run_ns_;
  std::vector<std::vector<double>> operation_ns_;
};

void SampleInTurn(Timed& network, Timed& reference, MeasureClock& clock) {
  const std::int64_t start_ns = clock.WallNs();
  for (int round = 0; round < kMaxRounds; ++round) {
    if (round >= kMinRounds && clock.WallNs() - start_ns > kBudgetNs) break;
    network.Sample(clock);
    reference.Sample(clock);
  }
}

// Rows of a network at these widths that the table lacks.
void AddRows(const Topology& topology, const BitAssignment& assignment,
             const std::vector<double>& operation_ns, CostTable& table) {
  std::size_t layer = 0;
  for (std::size_t i = 0; i < operation_ns.size(); ++i) {
    const Operation& operation = topology.operations[i];
    int weight_bits = 0;
    int activation_bits = 0;
    if (HasWeights(operation)) {
      weight_bits = assignment.weight_bits[layer++].front().bits;
      activation_bits = assignment.activation_bits[static_cast<std::size_t>(operation.input)];
    }
    table.operations.try_emplace({operation.name, weight_bits, activation_bits},
                                 Cost{operation_ns[i], {}});
  }
}

}  // namespace

Result<CostTable> MeasureCostTable(const Topology& topology, const std::string& name, Isa isa,
                                   const CoreThreads& threads, const ProgressFunction& progress) {
  KernelChoices choices;
  PoolClock clock = threads.Clock();
  const CpuCore& core = threads.core();
  const CompileOptions options{.isa = isa, .choices = &choices, .pool = threads.pool.get()};
  const std::string count = std::to_string(threads.cores.size()) + "-threads";
  CostTable table;
  table.name = name + "-" + std::string(ToString(isa)) + (threads.pool ? "-" + count : "");
  table.source = "bitpilotd bench --table on " + core.model +
                 (core.cluster.empty() ? "" : " (" + core.Identity() + ")") +
                 (threads.pool ? ", " + count : "") + ", kernels " + KernelBuildId().substr(0, 12);
  double first_reference_ns = 0.0;
  int done = 0;
  for (int activation_bits = 8; activation_bits >= 1; --activation_bits) {
    for (int weight_bits = 8; weight_bits >= 1; --weight_bits) {
      Result<Timed> network = Timed::Create(topology, weight_bits, activation_bits, options);
      if (!network.ok()) return network.status();
      Result<Timed> reference = Timed::Create(topology, 8, 8, options);
      if (!reference.ok()) return reference.status();
      SampleInTurn(*network, *reference, clock);
      if (done == 0) first_reference_ns = reference->run_ns();
      std::vector<double> operation_ns = network->OperationNs();
      for (double& ns : operation_ns) ns *= first_reference_ns / reference->run_ns();
      AddRows(topology, UniformAssignment(topology, weight_bits, activation_bits, true),
              operation_ns, table);
      progress({.phase = "widths", .windows_done = ++done});
    }
  }
  return table;
}

}  // namespace bitpilot
