#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "device_daemon/commands/bench_network.h"
#include "device_daemon/commands/bench_versus.h"
#include "device_daemon/commands/commands.h"
#include "device_daemon/measurement/board_table.h"
#include "device_daemon/measurement/core_threads.h"
#include "device_daemon/measurement/network_bench.h"
#include "device_daemon/server/machine_turn.h"
#include "kernels/compiled_network.h"
#include "kernels/runtime/kernel_build_id.h"
#include "kernels/versus/versus.h"
#include "proto/phases.h"

namespace bitpilot {
namespace {

nlohmann::ordered_json ResultLine(const BenchOptions& options, const Network& network, Isa isa,
                                  const CoreThreads& threads, const NetworkBench& bench) {
  const CpuCore& core = threads.core();
  nlohmann::ordered_json line{{"type", "result"},
                              {"network", options.network},
                              {"widths", ToString(AssignmentOf(network))},
                              {"isa", std::string(ToString(isa))},
                              {"cpu_model", core.model},
                              {"core", core.Identity()},
                              {"cpu", core.cpu},
                              {"threads", threads.cores.size()},
                              {"threads_used", bench.num_threads},
                              {"kernel_build", KernelBuildId()},
                              {"latency_median_ns", bench.latency_ns.median},
                              {"latency_ci_ns", {bench.latency_ns.low, bench.latency_ns.high}},
                              {"cpu_median_ns", bench.cpu_median_ns},
                              {"cold_cpu_median_ns", bench.cold_cpu_median_ns},
                              {"status", bench.disturbance.empty() ? "OK" : "NOISY"},
                              {"detail", bench.disturbance},
                              {"plan_ms", bench.plan_ns / 1e6},
                              {"peak_instructions", bench.peak_instructions},
                              {"peak_gmacs_per_second", bench.peak_macs_per_ns},
                              {"fraction_of_peak", bench.fraction_of_peak()},
                              {"macs", bench.macs},
                              {"weight_arena_bytes", bench.weight_arena_bytes},
                              {"activation_arena_bytes", bench.activation_arena_bytes}};
  line["operations"] = nlohmann::ordered_json::array();
  for (const OperationBench& operation : bench.operations) {
    line["operations"].push_back({{"name", operation.name},
                                  {"kernel", operation.kernel},
                                  {"cpu_median_ns", operation.cpu_median_ns},
                                  {"macs", operation.macs}});
  }
  return line;
}

// Multiply-accumulates per nanosecond are 1e9 a second.
double GigaMacsPerSecond(std::int64_t macs, double ns) { return static_cast<double>(macs) / ns; }

void PrintLayers(const NetworkBench& bench) {
  std::printf("\n%-20s %-34s %10s %8s %10s\n", "operation", "kernel", "CPU us", "GMAC/s", "of all");
  double sum_ns = 0.0;
  for (const OperationBench& operation : bench.operations) sum_ns += operation.cpu_median_ns;
  for (const OperationBench& operation : bench.operations) {
    std::printf("%-20s %-34s %10.2f %8.1f %9.1f%%\n", operation.name.c_str(),
                operation.kernel.c_str(), operation.cpu_median_ns / 1e3,
                GigaMacsPerSecond(operation.macs, operation.cpu_median_ns),
                100.0 * operation.cpu_median_ns / sum_ns);
  }
}

void PrintForPeople(const BenchOptions& options, const Network& network, Isa isa,
                    const CoreThreads& threads, const NetworkBench& bench) {
  const bool shared = bench.num_threads > 1;
  std::printf("%s (%s) on %s of %s, %s kernels\n", options.network.c_str(),
              ToString(AssignmentOf(network)).c_str(), threads.CpuNames().c_str(),
              threads.core().model.c_str(), std::string(ToString(isa)).c_str());
  if (threads.pool != nullptr && !shared) {
    std::printf("by one thread, which is faster than %d\n", threads.pool->num_threads());
  }
  // What several threads wait for each other is in it.
  const char* quiet = shared ? "without other work" : "CPU";
  std::printf("warm  %10.2f us wall (%.2f..%.2f), %.2f us %s, %.1f GMAC/s\n",
              bench.latency_ns.median / 1e3, bench.latency_ns.low / 1e3,
              bench.latency_ns.high / 1e3, bench.cpu_median_ns / 1e3, quiet,
              GigaMacsPerSecond(bench.macs, bench.cpu_median_ns));
  std::printf("cold  %10.2f us %s\n", bench.cold_cpu_median_ns / 1e3, quiet);
  std::printf(
      "peak  %10.1f GMAC/s of %s on one core in the same run: the network reaches %.0f %%%s\n",
      bench.peak_macs_per_ns, bench.peak_instructions.c_str(), 100.0 * bench.fraction_of_peak(),
      shared ? (" of " + std::to_string(bench.num_threads) + " cores").c_str() : "");
  std::printf("plan  %10.1f ms to choose and pack the kernels\n", bench.plan_ns / 1e6);
  std::printf("memory: %lld bytes of packed weights, %lld of activations\n",
              static_cast<long long>(bench.weight_arena_bytes),
              static_cast<long long>(bench.activation_arena_bytes));
  if (!bench.disturbance.empty()) std::printf("NOISY: %s\n", bench.disturbance.c_str());
  if (options.layers) PrintLayers(bench);
}

nlohmann::ordered_json TableLine(const CostTable& table) {
  nlohmann::ordered_json line{{"type", "result"},
                              {"name", table.name},
                              {"source", table.source},
                              {"rows", nlohmann::ordered_json::array()}};
  for (const auto& [key, cost] : table.operations) {
    const auto& [operation, weight_bits, activation_bits] = key;
    line["rows"].push_back({{"operation", operation},
                            {"weight_bits", weight_bits},
                            {"activation_bits", activation_bits},
                            {"cpu_median_ns", cost.latency_ns}});
  }
  return line;
}

Status PrintTable(const BenchOptions& options, const Network& network, Isa isa,
                  const CoreThreads& threads, const ProgressFunction& progress) {
  if (!options.bits.empty()) {
    return InvalidArgument("--bits: --table measures every pair of widths; leave one of them out");
  }
  const std::string name = std::filesystem::path(options.network).stem().string();
  const Result<CostTable> table = MeasureCostTable(network.topology, name, isa, threads, progress);
  if (!table.ok()) return table.status();
  if (options.json) {
    PrintJson(TableLine(*table));
  } else {
    std::printf("%s", FormatCostTable(*table).c_str());
  }
  return {};
}

void WaitForTurn(MachineTurn& turn) {
  constexpr std::chrono::milliseconds kPause{100};
  bool told = false;
  while (!turn.TryTake()) {
    if (!std::exchange(told, true)) std::fprintf(stderr, "bitpilotd: waiting: %s\n", kTurnPhase);
    std::this_thread::sleep_for(kPause);
  }
  if (!turn.problem().empty()) std::fprintf(stderr, "bitpilotd: %s\n", turn.problem().c_str());
}

// B of --versus; nullopt without.
Result<std::optional<Network>> LoadVersus(const BenchOptions& options, const Network& a) {
  if (options.versus.empty()) return std::optional<Network>();
  const Result<BenchNetworkChoice> choice =
      ParseVersus(options.versus, {options.network, options.bits});
  if (!choice.ok()) return choice.status();
  Result<Network> b = LoadBenchNetwork(*choice, "--versus", "--versus " + options.versus);
  if (!b.ok()) return b.status();
  BITPILOT_RETURN_IF_ERROR(
      CheckOneTask(a.topology, b->topology).WithContext("--versus " + options.versus));
  return std::optional<Network>(std::move(*b));
}

// Returns the exit code.
Result<int> Bench(const BenchOptions& options) {
  const Result<Isa> isa = ChooseIsa(options.isa);
  if (!isa.ok()) return isa.status().WithContext("--isa");
  const Result<Network> network =
      LoadBenchNetwork({options.network, options.bits}, "--network", "--bits");
  if (!network.ok()) return network.status();
  const Result<std::optional<Network>> versus = LoadVersus(options, *network);
  if (!versus.ok()) return versus.status();
  Result<std::vector<CpuCore>> cores = ChooseCores(options.cpu, options.threads);
  if (!cores.ok()) return cores.status();
  const Result<CoreThreads> threads = StartThreadsOn(std::move(*cores));
  if (!threads.ok()) return threads.status();
  MachineTurn turn;
  WaitForTurn(turn);
  if (*versus) return BenchVersus(options, *network, **versus, *isa, *threads);
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const auto show = [terminal](const Progress& progress) {
    if (!terminal) return;
    std::fprintf(stderr, "\r\033[K%.*s %d", static_cast<int>(progress.phase.size()),
                 progress.phase.data(), progress.windows_done);
  };
  if (options.table) {
    Status printed = PrintTable(options, *network, *isa, *threads, show);
    if (terminal) std::fprintf(stderr, "\r\033[K");
    if (!printed.ok()) return printed;
    return 0;
  }
  PoolClock clock = threads->Clock();
  const Result<NetworkBench> bench = BenchNetwork(*network, *isa, threads->pool.get(), clock, show);
  if (terminal) std::fprintf(stderr, "\r\033[K");
  if (!bench.ok()) return bench.status();
  if (options.json) {
    PrintJson(ResultLine(options, *network, *isa, *threads, *bench));
  } else {
    PrintForPeople(options, *network, *isa, *threads, *bench);
  }
  return 0;
}

}  // namespace

int RunBench(const BenchOptions& options) {
  const Result<int> exit_code = Bench(options);
  return exit_code.ok() ? *exit_code : ReportFailure(exit_code.status(), options.json);
}

}  // namespace bitpilot
