// What several threads gain: an inference shared out beside as many independent copies of the
// network, one a core, in alternation in one process. Wall times.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "device_daemon/measurement/core_threads.h"
#include "device_daemon/measurement/cpu_core.h"
#include "experiments/threads/table_prediction.h"
#include "kernels/base/network.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/window_statistics.h"
#include "kernels/compiled_network.h"
#include "kernels/cpu/isa.h"
#include "kernels/cpu/wall_time.h"
#include "kernels/runtime/thread_pool.h"
#include "kernels/runtime/threads_tuner.h"

namespace bitpilot {
namespace {

struct Options {
  std::vector<std::string> networks = {"resnet18", "mobilenet-v2", "resnet20", "resnet8"};
  int bits = 8;
  std::string isa;
  std::string cpu;
  int threads = 2;
  int rounds = 31;
  int window_ms = 50;
  std::string predict = "resnet20";
};

// At most, of a copy's time divided by the number of threads; with two.
const std::map<std::string, double> kShareBars = {{"resnet18", 1.10}, {"mobilenet-v2", 1.24}};
// At most, of the time by one thread, of what a plan chooses.
constexpr double kChosenBar = 1.02;
// Of the ratios that a table predicts.
constexpr double kMedianErrorBar = 0.02;
constexpr double kWorstErrorBar = 0.05;
constexpr int kPredicted = 20;
constexpr double kNs = 1e-3;  // in microseconds

template <typename T>
T ValueOrExit(Result<T> result, const char* what) {
  if (result.ok()) return std::move(*result);
  std::fprintf(stderr, "%s%s\n", what, result.status().message().c_str());
  std::exit(result.status().code() == StatusCode::kInvalidArgument ? 2 : 1);
}

// A network with buffers of its own, ready to run.
class Copy {
 public:
  Copy(const Network& network, const CompileOptions& options)
      : compiled_(ValueOrExit(CompiledNetwork::Create(network, options), "")),
        pixels_(static_cast<std::size_t>(network.input_bytes()), 100),
        logits_(static_cast<std::size_t>(network.num_classes())) {}

  void Run() { compiled_.Run(pixels_, logits_); }
  int num_threads() const { return compiled_.num_threads(); }

  // Wall time of an inference in microseconds, over `runs` of them.
  double TimeUs(int runs) {
    const std::int64_t start_ns = WallNs();
    for (int i = 0; i < runs; ++i) Run();
    return kNs * static_cast<double>(WallNs() - start_ns) / runs;
  }

 private:
  CompiledNetwork compiled_;
  std::vector<std::uint8_t> pixels_;
  std::vector<float> logits_;
};

// All copies at once, each on a thread of the pool: the mean of their times.
double TimeCopiesUs(ThreadPool& pool, std::vector<Copy>& copies, int runs) {
  std::vector<double> us(copies.size());
  const ThreadPool::Awake awake(&pool);
  pool.Run(static_cast<int>(copies.size()), [&](int i) {
    const auto index = static_cast<std::size_t>(i);
    us[index] = copies[index].TimeUs(runs);
  });
  double sum_us = 0.0;
  for (const double one : us) sum_us += one;
  return sum_us / static_cast<double>(us.size());
}

// Round by round: a machine drifts between rounds.
std::vector<double> Ratios(const std::vector<double>& times, const std::vector<double>& others,
                           double times_others) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < times.size(); ++i) {
    ratios.push_back(times[i] / (times_others * others[i]));
  }
  return ratios;
}

void PrintRatio(const char* what, const std::vector<double>& ratios, std::optional<double> bar) {
  const MedianInterval interval = SignTestInterval(ratios);
  std::printf("  %-44s %6.3f (%.3f..%.3f)", what, interval.median, interval.low, interval.high);
  if (bar) std::printf("  bar %.2f: %s", *bar, interval.median <= *bar ? "met" : "MISSED");
  std::printf("\n");
}

void Compare(const std::string& name, const Options& options, Isa isa, const CoreThreads& threads) {
  const Topology topology = ValueOrExit(StandardTopology(name), "--network: ");
  const Network network =
      RandomNetwork(topology, UniformAssignment(topology, options.bits, options.bits), /*seed=*/1);
  ThreadPool& pool = *threads.pool;
  // All are tuned. The first shares the work in any case, the second where that is faster.
  KernelChoices forced_choices;
  forced_choices.Remember(NetworkThreadsKey(network, isa, options.threads), "all_threads", 1.0);
  KernelChoices choices;
  Copy shared(network, {.isa = isa, .choices = &forced_choices, .pool = &pool});
  Copy chosen(network, {.isa = isa, .choices = &choices, .pool = &pool});
  std::vector<Copy> copies;
  for (int i = 0; i < options.threads; ++i) {
    copies.emplace_back(network, CompileOptions{.isa = isa, .choices = &choices});
  }
  Copy& alone = copies.front();
  alone.TimeUs(3);
  const int runs = std::max(1, static_cast<int>(1e3 * options.window_ms / alone.TimeUs(3)));
  std::vector<double> shared_us;
  std::vector<double> chosen_us;
  std::vector<double> copies_us;
  std::vector<double> alone_us;
  for (int round = 0; round < options.rounds; ++round) {
    shared.Run();  // The others filled the caches with their data.
    shared_us.push_back(shared.TimeUs(runs));
    chosen.Run();
    chosen_us.push_back(chosen.TimeUs(runs));
    copies_us.push_back(TimeCopiesUs(pool, copies, runs));
    alone.Run();
    alone_us.push_back(alone.TimeUs(runs));
  }
  const double count = options.threads;
  std::printf(
      "%s w%da%d: one thread %.1f us, %d copies at once %.1f us, %d threads %.1f us; "
      "a plan takes %d\n",
      name.c_str(), options.bits, options.bits, Median(alone_us), options.threads,
      Median(copies_us), options.threads, Median(shared_us), chosen.num_threads());
  const auto bar = kShareBars.find(name);
  PrintRatio(
      "shared, of a copy's time by the threads", Ratios(shared_us, copies_us, 1.0 / count),
      bar == kShareBars.end() || options.threads != 2 ? std::nullopt : std::optional(bar->second));
  PrintRatio("shared, of one thread alone", Ratios(shared_us, alone_us, 1.0), std::nullopt);
  PrintRatio("as the plan has it, of one thread alone", Ratios(chosen_us, alone_us, 1.0),
             kChosenBar);
  std::fflush(stdout);
}

void Predict(const Options& options, Isa isa, const CoreThreads& threads) {
  const PredictionErrors errors = ValueOrExit(
      PredictByTable(options.predict, isa, threads, kPredicted, options.rounds), "--predict: ");
  const bool met = errors.median <= kMedianErrorBar && errors.worst <= kWorstErrorBar;
  std::printf(
      "%s, a table by %d threads: predicts the ratios of %d networks to 8 bit within %.1f %% in "
      "the "
      "median, %.1f %% at worst  bars %.0f %%, %.0f %%: %s\n",
      options.predict.c_str(), options.threads, kPredicted, 100.0 * errors.median,
      100.0 * errors.worst, 100.0 * kMedianErrorBar, 100.0 * kWorstErrorBar,
      met ? "met" : "MISSED");
}

int Main(int argc, char** argv) {
  Options options;
  CLI::App app("Threads that share an inference beside independent copies, one a core");
  app.add_option("--network", options.networks, "standard networks")->capture_default_str();
  app.add_option("--bits", options.bits, "of weights and activations")
      ->capture_default_str()
      ->check(CLI::Range(1, 8));
  app.add_option("--isa", options.isa, "highest instruction set; default: the CPU's best");
  app.add_option("--cpu", options.cpu, "as bitpilotd bench takes it: of the first thread");
  app.add_option("--threads", options.threads)
      ->capture_default_str()
      ->check(CLI::Range(2, ThreadPool::kMaxThreads));
  app.add_option("--rounds", options.rounds)->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--window-ms", options.window_ms, "of one contestant in one round")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--predict", options.predict,
                 "network of which a table by the threads predicts others; empty: none")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const Isa isa =
      ValueOrExit(options.isa.empty() ? DefaultIsa() : ParseIsa(options.isa), "--isa: ");
  const CoreThreads threads =
      ValueOrExit(StartThreadsOn(ValueOrExit(ChooseCores(options.cpu, options.threads), "")), "");
  std::printf("%s, %s of %s, %d rounds of %d ms\n", std::string(ToString(isa)).c_str(),
              threads.CpuNames().c_str(), threads.core().model.c_str(), options.rounds,
              options.window_ms);
  for (const std::string& network : options.networks) Compare(network, options, isa, threads);
  if (!options.predict.empty()) Predict(options, isa, threads);
  return 0;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
