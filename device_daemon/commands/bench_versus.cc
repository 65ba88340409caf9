#include "device_daemon/commands/bench_versus.h"

#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "device_daemon/measurement/versus_bench.h"
#include "kernels/base/window_statistics.h"
#include "kernels/runtime/kernel_build_id.h"
#include "kernels/versus/versus.h"
#include "kernels/versus/versus_fields.h"
#include "kernels/versus/versus_text.h"

namespace bitpilot {
namespace {

constexpr VersusQuantity kTime = VersusQuantity::kTime;

std::string NameOf(const Network& network) {
  return network.topology.name + " (" + ToString(AssignmentOf(network)) + ")";
}

nlohmann::ordered_json NetworkLine(const Network& network, double latency_ns) {
  return {{"network", network.topology.name},
          {"widths", ToString(AssignmentOf(network))},
          {"latency_median_ns", latency_ns}};
}

void PrintSame(const BenchOptions& options, const Network& a, const Network& b, Isa isa,
               const CoreThreads& threads, const std::vector<VersusBlock>& same) {
  if (options.json) return;
  std::printf("A: %s\nB: %s\non %s of %s, %s kernels\n%s\n", NameOf(a).c_str(), NameOf(b).c_str(),
              threads.CpuNames().c_str(), threads.core().model.c_str(),
              std::string(ToString(isa)).c_str(), DescribeSame(CompareTimes(same), kTime).c_str());
  std::fflush(stdout);
}

}  // namespace

Result<int> BenchVersus(const BenchOptions& options, const Network& a, const Network& b, Isa isa,
                        const CoreThreads& threads) {
  const CpuCore& core = threads.core();
  PoolClock clock = threads.Clock();
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const auto end_line = [terminal] {
    if (terminal) std::fprintf(stderr, "\r\033[K");
  };
  KernelChoices choices;
  const Result<VersusBlocks> blocks = MeasureVersus(
      [&](const VersusTurn& turn) {
        const auto show = [&](const Progress& progress) {
          if (!terminal) return;
          std::fprintf(stderr, "\r\033[K%s, block %d of %d: %.*s %d",
                       turn.same ? "two copies of A" : "A and B", turn.block + 1, kVersusBlocks,
                       static_cast<int>(progress.phase.size()), progress.phase.data(),
                       progress.windows_done);
        };
        return BenchVersusBlock(a, b, turn, options.audit, isa, threads.pool.get(), choices, clock,
                                show);
      },
      [&](const std::vector<VersusBlock>& same) {
        end_line();
        PrintSame(options, a, b, isa, threads, same);
      });
  end_line();
  if (!blocks.ok()) return blocks.status();
  const VersusVerdict verdict = JudgeTimes(*blocks);
  const VersusLatencies latencies = LatenciesOf(blocks->different);
  const std::string disturbances = DescribeDisturbances(*blocks);
  if (options.json) {
    nlohmann::ordered_json line{{"type", "result"},
                                {"a", NetworkLine(a, latencies.a_ns)},
                                {"b", NetworkLine(b, latencies.b_ns)},
                                {"isa", std::string(ToString(isa))},
                                {"cpu_model", core.model},
                                {"core", core.Identity()},
                                {"cpu", core.cpu},
                                {"threads", threads.cores.size()},
                                {"kernel_build", KernelBuildId()},
                                {"status", disturbances.empty() ? "OK" : "NOISY"},
                                {"detail", disturbances}};
    line["versus"] = VersusJson<nlohmann::ordered_json>(verdict, kTime);
    PrintJson(line);
  } else {
    std::printf("%s\n%s\n%s\n", DescribeLatencies(latencies).c_str(),
                DescribeDifferent(verdict, kTime).c_str(),
                DescribeSmallestDifference(verdict).c_str());
    if (!disturbances.empty()) std::printf("%s\n", disturbances.c_str());
  }
  return VersusExitCode(verdict);
}

}  // namespace bitpilot
