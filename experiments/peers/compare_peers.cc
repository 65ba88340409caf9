// Our kernels, oneDNN and ONNX Runtime side by side on whole networks: strict alternation in one
// process, one thread, thread CPU time, medians. All start from a float32 image and end at logits.
// With several threads: wall time, and without oneDNN, which has one.
//
//   compare_peers [--isa I] [--network NAME]... [--bits wXaY]... [--onnxruntime LIBRARY] [--threads N]
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "experiments/peers/onednn_network.h"
#include "experiments/peers/onnx_model.h"
#include "experiments/peers/onnx_runtime.h"
#include "experiments/peers/own_network.h"
#include "kernels/base/standard_networks.h"
#include "kernels/cpu/thread_cpu_time.h"
#include "kernels/cpu/wall_time.h"
#include "kernels/runtime/thread_pool.h"

namespace bitpilot {
namespace {

constexpr double kRoundMacs = 5e8;  // Work of one candidate in one round.
constexpr double kMinRuns = 3;

struct Options {
  std::string isa = "avx512vnni";
  std::vector<std::string> networks = {"resnet8", "resnet20-proj", "mobilenet-v1-025",
                                       "mobilenet-v2", "resnet18"};
  std::vector<std::string> bits = {"w8a8"};
  std::string onnx_runtime;  // Path of the library; empty: not compared with.
  int rounds = 31;
  int threads = 1;
};

// One inference, its name and its times.
struct Candidate {
  std::string name;
  std::function<void()> run;
  std::vector<double> us;

  void TimeRound(int runs, std::int64_t (*now_ns)()) {
    run();  // The others filled the caches with their data.
    const std::int64_t begin_ns = now_ns();
    for (int i = 0; i < runs; ++i) {
      run();
    }
    us.push_back(1e-3 * static_cast<double>(now_ns() - begin_ns) / runs);
  }
};

// The share `fraction` of the sorted values lies below.
double Quantile(std::vector<double> values, double fraction) {
  const auto at = values.begin() +
                  static_cast<std::ptrdiff_t>(fraction * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

// Medians of the ratios of times that were taken in one round: machines drift between rounds.
double MedianRatio(const Candidate& candidate, const Candidate& peer) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < candidate.us.size(); ++i) {
    ratios.push_back(candidate.us[i] / peer.us[i]);
  }
  return Quantile(ratios, 0.5);
}

// "0.912", or "-" where the peer did not take part.
std::string RatioTo(const std::string& peer, const Candidate& candidate,
                    const std::vector<Candidate>& candidates) {
  for (const Candidate& one : candidates) {
    if (one.name != peer) continue;
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", MedianRatio(candidate, one));
    return text;
  }
  return "-";
}

std::vector<Candidate> MakeCandidates(const Topology& topology, const Options& options,
                                      const OnnxRuntime* onnx_runtime, Isa isa, ThreadPool* pool) {
  std::vector<Candidate> candidates;
  if (pool == nullptr) {
    const auto one_dnn = std::make_shared<OneDnnNetwork>(topology);
    std::fill_n(one_dnn->image(), topology.input.elements(), 100.0F);
    candidates.push_back({"oneDNN", [one_dnn] { one_dnn->Run(); }, {}});
  }
  if (onnx_runtime != nullptr) {
    const TensorShape& image = topology.input;
    const auto session = std::make_shared<OnnxSession>(
        *onnx_runtime, MakeOnnxModel(topology),
        std::vector<std::int64_t>{1, image.channels, image.height, image.width},
        topology.operations.back().out_channels, options.threads);
    std::fill(session->image().begin(), session->image().end(), 100.0F);
    candidates.push_back({"ORT", [session] { session->Run(); }, {}});
  }
  for (const std::string& bits : options.bits) {
    const auto own = std::make_shared<OwnNetwork>(topology, bits, isa, pool);
    std::fill(own->image().begin(), own->image().end(), 100.0F);
    candidates.push_back({bits, [own] { own->Run(); }, {}});
  }
  return candidates;
}

void PrintTable(const std::string& network, const Topology& topology,
                const std::vector<Candidate>& candidates, int rounds) {
  double macs = 0.0;
  for (const int operation : LayerOperations(topology)) {
    macs += static_cast<double>(Macs(topology, operation));
  }
  const auto own = std::find_if(candidates.begin(), candidates.end(),
                                [](const Candidate& c) { return c.name.front() == 'w'; });
  std::printf("%s, %.1f million multiply-accumulates, %d rounds\n", network.c_str(), macs / 1e6,
              rounds);
  std::printf("  %-7s %10s %19s %7s %9s %9s %9s\n", "", "median us", "5 % .. 95 %", "MAC/ns",
              "/ oneDNN", "/ ORT", ("/ " + own->name).c_str());
  for (const Candidate& candidate : candidates) {
    const double median = Quantile(candidate.us, 0.5);
    std::printf("  %-7s %10.1f %9.1f %9.1f %7.0f %9s %9s %9.3f\n", candidate.name.c_str(), median,
                Quantile(candidate.us, 0.05), Quantile(candidate.us, 0.95), macs / median / 1e3,
                RatioTo("oneDNN", candidate, candidates).c_str(),
                RatioTo("ORT", candidate, candidates).c_str(), MedianRatio(candidate, *own));
  }
  std::fflush(stdout);
}

void Compare(const std::string& network, const Topology& topology, const Options& options,
             const OnnxRuntime* onnx_runtime, Isa isa, ThreadPool* pool) {
  std::vector<Candidate> candidates = MakeCandidates(topology, options, onnx_runtime, isa, pool);
  double macs = 0.0;
  for (const int operation : LayerOperations(topology)) {
    macs += static_cast<double>(Macs(topology, operation));
  }
  const int runs = static_cast<int>(std::max(kMinRuns, kRoundMacs / macs));
  for (int round = 0; round < options.rounds; ++round) {
    for (Candidate& candidate : candidates) {
      candidate.TimeRound(runs, pool == nullptr ? ThreadCpuNs : WallNs);
    }
  }
  PrintTable(network, topology, candidates, options.rounds);
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Our kernels beside oneDNN and ONNX Runtime");
  app.add_option("--isa", options.isa, "highest instruction set of ours and of oneDNN's")
      ->capture_default_str();
  app.add_option("--network", options.networks, "standard networks")->capture_default_str();
  app.add_option("--bits", options.bits, "uniform widths of ours, e.g. w8a8 w4a4")
      ->capture_default_str();
  app.add_option("--onnxruntime", options.onnx_runtime,
                 "libonnxruntime.so; it chooses its instruction set itself");
  app.add_option("--threads", options.threads, "of ours and of ONNX Runtime's; as many CPUs")
      ->capture_default_str()
      ->check(CLI::Range(1, ThreadPool::kMaxThreads));
  app.add_option("--rounds", options.rounds)->capture_default_str()->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);
  const Result<Isa> isa = ParseIsa(options.isa);
  if (!isa.ok()) {
    std::fprintf(stderr, "--isa: %s\n", isa.status().message().c_str());
    return 2;
  }
  // Before the library's first use, or it has no effect.
  if (dnnl::set_max_cpu_isa(OneDnnIsa(*isa)) != dnnl::status::success) {
    std::fprintf(stderr, "oneDNN refuses to be limited to %s\n", options.isa.c_str());
    return 1;
  }
  std::unique_ptr<OnnxRuntime> onnx_runtime;
  if (!options.onnx_runtime.empty()) {
    onnx_runtime = std::make_unique<OnnxRuntime>(options.onnx_runtime);
    std::printf("ORT: ONNX Runtime %s\n", onnx_runtime->version().c_str());
  }
  std::unique_ptr<ThreadPool> pool;
  if (options.threads > 1) {
    Result<std::unique_ptr<ThreadPool>> made = ThreadPool::Create({.num_threads = options.threads});
    if (!made.ok()) {
      std::fprintf(stderr, "--threads: %s\n", made.status().message().c_str());
      return 1;
    }
    pool = std::move(*made);
  }
  for (const std::string& network : options.networks) {
    const Result<Topology> topology = StandardTopology(network);
    if (!topology.ok()) {
      std::fprintf(stderr, "--network: %s\n", topology.status().message().c_str());
      return 2;
    }
    Compare(network, *topology, options, onnx_runtime.get(), *isa, pool.get());
  }
  return 0;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
