// Tables for README.md: what measurements of real networks on this machine are worth, through a
// daemon of our own, with the machine's other core busy.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/device/local_board.h"
#include "agent/fleet/board.h"
#include "experiments/measurement_bars/busy_core.h"
#include "experiments/slower_network.h"
#include "kernels/base/check.h"
#include "kernels/base/network.h"
#include "kernels/base/round_comparison.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr char kUsage[] =
    "usage: measurement_bars PART [DEVICE]\n"
    "  PART    repeatability, identical, detection or cost\n"
    "  DEVICE  local (default) or local:ISA\n";

Topology ResNet20() {
  Result<Topology> topology = StandardTopology("resnet20");
  BITPILOT_CHECK(topology.ok());
  return std::move(*topology);
}

Network Uniform(int bits, std::uint64_t seed) {
  const Topology topology = ResNet20();
  return RandomNetwork(topology, UniformAssignment(topology, bits, bits), seed);
}

Measurement MeasureOrExit(Board& board, const std::vector<const Network*>& networks, Tier tier) {
  MeasureJob job;
  job.networks = networks;
  job.tier = tier;
  Result<Measurement> measurement = board.Measure(job);
  if (measurement.ok() && HasNumbers(measurement->status)) return std::move(*measurement);
  std::fprintf(
      stderr, "the board gave no numbers: %s\n",
      measurement.ok() ? measurement->detail.c_str() : measurement.status().message().c_str());
  std::exit(1);
}

bool IsOk(const Measurement& measurement) { return measurement.status == MeasureStatus::kOk; }

RoundComparison Compare(const Measurement& measurement) {
  const NetworkMeasurement& one = measurement.networks[0];
  const NetworkMeasurement& other = measurement.networks[1];
  return CompareRounds(TimesToCompare(one.window_ns, one.window_cpu_ns),
                       TimesToCompare(other.window_ns, other.window_cpu_ns));
}

struct Spread {
  std::vector<double> ratios;

  int CountWithin(double center, double limit) const {
    return static_cast<int>(std::count_if(ratios.begin(), ratios.end(), [&](double ratio) {
      return std::abs(ratio / center - 1.0) <= limit;
    }));
  }
  double Worst(double center) const {
    double worst = 0.0;
    for (const double ratio : ratios) worst = std::max(worst, std::abs(ratio / center - 1.0));
    return worst;
  }
};

// STANDARDs of w4a4 beside 8 bit, until kEnoughOk verdicts are OK: how far the ratios are from the
// median of the OK verdicts'.
void PrintRepeatability(Board& board) {
  constexpr std::size_t kEnoughOk = 12;
  constexpr std::size_t kMaxRuns = 36;
  const Network w4a4 = Uniform(4, 1);
  const Network w8a8 = Uniform(8, 1);
  const BusyCore busy;
  Spread ok;
  Spread noisy;
  std::printf("| run | verdict | latency, us | ratio | why |\n|---|---|---|---|---|\n");
  while (ok.ratios.size() < kEnoughOk && ok.ratios.size() + noisy.ratios.size() < kMaxRuns) {
    const Measurement measurement = MeasureOrExit(board, {&w4a4, &w8a8}, Tier::kStandard);
    Spread& spread = IsOk(measurement) ? ok : noisy;
    spread.ratios.push_back(Compare(measurement).ratio.median);
    std::printf("| %zu | %s | %.1f | %.4f | %s |\n", ok.ratios.size() + noisy.ratios.size(),
                std::string(ToString(measurement.status)).c_str(),
                measurement.networks[0].latency_median_ns * 1e-3, spread.ratios.back(),
                measurement.detail.c_str());
    std::fflush(stdout);
  }
  if (ok.ratios.empty()) {
    std::fprintf(stderr, "no verdict of OK in %zu runs\n", kMaxRuns);
    std::exit(1);
  }
  const double center = Median(ok.ratios);
  std::printf(
      "\n| verdict | runs | ratio within 2 %% of %.4f | worst |\n"
      "|---|---|---|---|\n",
      center);
  std::printf("| OK | %zu | %d | %.2f %% |\n", ok.ratios.size(), ok.CountWithin(center, 0.02),
              ok.Worst(center) * 100);
  if (noisy.ratios.empty()) return;
  std::printf("| NOISY | %zu | %d | %.2f %% |\n", noisy.ratios.size(),
              noisy.CountWithin(center, 0.02), noisy.Worst(center) * 100);
}

// Short AUDITs of one network against a copy of itself.
void PrintIdentical(Board& board) {
  constexpr int kRuns = 40;
  const Network a = Uniform(8, 1);
  const Network b = Uniform(8, 2);
  const BusyCore busy;
  Spread ok;
  Spread noisy;
  int same = 0;
  std::printf(
      "| run | verdict | ratio | its interval | speed | why |\n|---|---|---|---|---|---|\n");
  for (int i = 0; i < kRuns; ++i) {
    const Measurement measurement = MeasureOrExit(board, {&a, &b}, Tier::kAudit);
    const RoundComparison comparison = Compare(measurement);
    const MedianInterval& ratio = comparison.ratio;
    (IsOk(measurement) ? ok : noisy).ratios.push_back(ratio.median);
    same += comparison.speed == Speed::kNoDifference;
    std::printf("| %d | %s | %.4f | %.4f to %.4f | %s | %s |\n", i + 1,
                std::string(ToString(measurement.status)).c_str(), ratio.median, ratio.low,
                ratio.high, std::string(ToString(comparison.speed)).c_str(),
                measurement.detail.c_str());
    std::fflush(stdout);
  }
  std::printf("\n| verdict | AUDITs | within 1 %% | worst |\n|---|---|---|---|\n");
  for (const Spread* spread : {&ok, &noisy}) {
    std::printf("| %s | %zu | %d | %.2f %% |\n", spread == &ok ? "OK" : "NOISY",
                spread->ratios.size(), spread->CountWithin(1.0, 0.01), spread->Worst(1.0) * 100);
  }
  std::printf("\nsaid no difference: %d of %d\n", same, kRuns);
}

// The network that is closest to 3 % slower than `base`.
SlowerNetwork FindThreePercentSlower(Board& board, const Network& base) {
  Result<SlowerNetwork> slower =
      FindSlowerNetwork(board, base, {"layer2.1", "layer3.1", "layer3.2"}, {8, 12, 16}, 1.03);
  if (slower.ok()) return std::move(*slower);
  std::fprintf(stderr, "%s\n", slower.status().message().c_str());
  std::exit(1);
}

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void PrintDetection(Board& board) {
  constexpr int kRuns = 60;
  const BusyCore busy;
  const Network base = Uniform(8, 1);
  const SlowerNetwork slower = FindThreePercentSlower(board, base);
  int found = 0;
  int noisy = 0;
  double longest_s = 0.0;
  std::vector<double> ratios;
  for (int i = 0; i < kRuns; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Measurement measurement = MeasureOrExit(board, {&slower.network, &base}, Tier::kAudit);
    longest_s = std::max(longest_s, SecondsSince(start));
    const RoundComparison comparison = Compare(measurement);
    found += comparison.speed == Speed::kSlower;
    noisy += !IsOk(measurement);
    ratios.push_back(comparison.ratio.median);
  }
  std::printf(
      "| slower by | AUDITs | said slower | NOISY | longest, end to end |\n"
      "|---|---|---|---|---|\n");
  std::printf("| %.1f %% (%s +%d) | %d | %d | %d | %.2f s |\n", (Median(ratios) - 1) * 100,
              slower.block.c_str(), slower.extra, kRuns, found, noisy, longest_s);
}

// Every measurement has a network that the board has not seen: packing and upload count.
void PrintCost(Board& board) {
  constexpr int kRuns = 10;
  const BusyCore busy;
  const Network w8a8 = Uniform(8, 1);
  MeasureOrExit(board, {&w8a8}, Tier::kScreen);  // warms the worker
  std::printf(
      "| tier | networks | end to end, median | longest | outside timed windows, median | "
      "most |\n|---|---|---|---|---|---|\n");
  std::uint64_t seed = 100;
  for (const Tier tier : {Tier::kScreen, Tier::kStandard}) {
    for (const bool interleaved : {false, true}) {
      std::vector<double> seconds;
      std::vector<double> outside;
      for (int i = 0; i < kRuns; ++i) {
        const Network network = Uniform(4, ++seed);
        std::vector<const Network*> networks{&network};
        if (interleaved) networks.push_back(&w8a8);
        const auto start = std::chrono::steady_clock::now();
        const Measurement measurement = MeasureOrExit(board, networks, tier);
        seconds.push_back(SecondsSince(start));
        outside.push_back(1.0 - measurement.conditions.timed_ms / (seconds.back() * 1e3));
      }
      std::printf("| %s | %s | %.2f s | %.2f s | %.0f %% | %.0f %% |\n",
                  tier == Tier::kScreen ? "SCREEN" : "STANDARD",
                  interleaved ? "w4a4, 8 bit" : "w4a4", Median(seconds),
                  *std::max_element(seconds.begin(), seconds.end()), Median(outside) * 100,
                  *std::max_element(outside.begin(), outside.end()) * 100);
      std::fflush(stdout);
    }
  }
}

int Main(int argc, char** argv) {
  const std::string_view part = argc >= 2 ? argv[1] : "";
  void (*print)(Board&) = part == "repeatability" ? PrintRepeatability
                          : part == "identical"   ? PrintIdentical
                          : part == "detection"   ? PrintDetection
                          : part == "cost"        ? PrintCost
                                                  : nullptr;
  if (print == nullptr || argc > 3) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  const Result<std::unique_ptr<Board>> board =
      StartLocalBoard(argc == 3 ? argv[2] : "local", BoardOptions{});
  if (!board.ok()) {
    std::fprintf(stderr, "%s\n", board.status().message().c_str());
    return 1;
  }
  std::printf("%s, %s, other core busy\n\n", (*board)->info().cpu_model.c_str(),
              (*board)->info().isa.c_str());
  print(**board);
  return 0;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
