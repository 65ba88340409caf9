// Tables for README.md: the sampler's statistics against known truth, `--trials` runs a cell.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "experiments/timing_statistics/simulated_steps.h"
#include "experiments/timing_statistics/simulated_trials.h"
#include "experiments/timing_statistics/simulated_versus.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

constexpr double kScales[] = {0.001, 0.002, 0.003, 0.005, 0.01, 0.02, 0.05};
constexpr double kFlagScales[] = {0.001, 0.003, 0.005};
constexpr auto kStandard = v1::MeasureSpec::STANDARD;

void PrintCoverage(int trials) {
  std::printf("\nCoverage of the interval, worst over noise of 0.1 %% to 5 %%\n\n");
  std::printf("| noise | SCREEN | STANDARD | AUDIT |\n|---|---|---|---|\n");
  for (const Noise& noise : AllNoises()) {
    std::printf("| %s", noise.name.c_str());
    for (const auto tier :
         {v1::MeasureSpec::SCREEN, v1::MeasureSpec::STANDARD, v1::MeasureSpec::AUDIT}) {
      double worst = 1.0;
      for (const double scale : kScales) {
        worst = std::min(worst, Coverage(tier, noise, scale, trials, 1));
      }
      std::printf(" | %.4f", worst);
    }
    std::printf(" |\n");
    std::fflush(stdout);
  }
}

double WorstStep(const Noise& noise, double scale, int trials) {
  double worst = 1.0;
  for (const double change : {0.05, -0.05}) {
    // Every step that can lie in the middle half of a run of 9, the shortest.
    for (int after = 3; after <= 6; ++after) {
      worst = std::min(worst, NoisyShare(kStandard, StepAfter(change, after), noise, scale, trials,
                                         static_cast<std::uint64_t>(after)));
    }
  }
  return worst;
}

bool HasTwoSlowWindows(const Trial& trial) {
  const WindowSeries& series = trial.series.front();
  return std::count_if(series.wall_ns.begin(), series.wall_ns.end(),
                       [&](double time) { return time > 1.075 * UnitLatencyNs(kStandard); }) >= 2;
}

void PrintFlags(int trials) {
  std::printf("\nShare of STANDARD runs that are NOISY\n\n");
  std::printf(
      "| noise | scale | clean | ramp 5 %% | step 5 %%, middle half, worst place and sign | 20 %% "
      "of windows 15 %% slower |\n|---|---|---|---|---|---|\n");
  for (const Noise& noise : AllNoises()) {
    for (const double scale : kFlagScales) {
      std::printf("| %s | %.1f %% | %.4f | %.4f | %.4f | %.4f |\n", noise.name.c_str(), scale * 100,
                  NoisyShare(kStandard, Constant(1.0), noise, scale, trials, 2),
                  NoisyShare(kStandard, Ramp(0.05, 9), noise, scale, trials, 3),
                  WorstStep(noise, scale, trials / 4),
                  NoisyShare(kStandard, SlowAtRandom(0.2, 0.15), noise, scale, trials, 4,
                             HasTwoSlowWindows));
      std::fflush(stdout);
    }
  }
}

void PrintClaims(int trials) {
  std::printf("\nClaims of short AUDITs\n\n");
  std::printf(
      "| noise | scale | equal: no difference | 3 %% slower: said slower | equal: OK | of OK: "
      "ratio "
      "within 1 %% |\n|---|---|---|---|---|---|\n");
  for (const Noise& noise : AllNoises()) {
    for (const double scale : {0.003, 0.01, 0.02, 0.05}) {
      const Claims equal = CountClaims(v1::MeasureSpec::AUDIT, 1.0, noise, scale, trials, 5);
      const Claims slower = CountClaims(v1::MeasureSpec::AUDIT, 1.03, noise, scale, trials, 6);
      std::printf("| %s | %.1f %% | %.4f | %.4f | %.4f | %.4f |\n", noise.name.c_str(), scale * 100,
                  static_cast<double>(equal.no_difference) / trials,
                  static_cast<double>(slower.slower) / trials,
                  static_cast<double>(equal.ok) / trials,
                  static_cast<double>(equal.ok_within_1_percent) / std::max(1, equal.ok));
      std::fflush(stdout);
    }
  }
}

void PrintVersus(int trials) {
  const int comparisons = std::max(20, trials / 100);
  const auto share = [comparisons](int count) { return static_cast<double>(count) / comparisons; };
  std::printf("\nA against B, %d comparisons a cell\n\n", comparisons);
  std::printf(
      "| noise | scale | second in a block | place | equal: no difference | covers | 1.8 %% "
      "slower: "
      "found | covers | 1.8 %% faster: found | said to be found, median | of that size: found |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|\n");
  for (const Noise& noise : AllNoises()) {
    for (const VersusMachine& machine : {VersusMachine{noise, 0.003, 0.0, 0.0},
                                         {noise, 0.01, 0.0, 0.0},
                                         {noise, 0.01, 0.008, 0.0},
                                         {noise, 0.01, 0.0, 0.004},
                                         {noise, 0.02, 0.0, 0.0}}) {
      const VersusClaims equal = CountVersusClaims(1.0, machine, comparisons, 8);
      const VersusClaims slower = CountVersusClaims(1.018, machine, comparisons, 9);
      const VersusClaims faster = CountVersusClaims(0.982, machine, comparisons, 10);
      std::printf("| %s | %.1f %% | %.1f %% | %.1f %% | %.3f | %.3f | %.3f | %.3f | %.3f",
                  noise.name.c_str(), machine.scale * 100, machine.second * 100,
                  machine.place * 100, share(equal.no_difference), share(equal.covered),
                  share(slower.slower), share(slower.covered), share(faster.faster));
      if (equal.smallest.empty()) {
        std::printf(" | none | |\n");
      } else {
        const double stated = Median(equal.smallest);
        const VersusClaims found = CountVersusClaims(1.0 + stated, machine, comparisons, 11);
        std::printf(" | %.2f %% | %.3f |\n", stated * 100, share(found.slower));
      }
      std::fflush(stdout);
    }
  }
}

void PrintSteps(int trials) {
  const int searches = std::max(1, trials / 500);
  std::printf("\nSteps of %d searches a cell, measured again where they are NOISY\n\n", searches);
  std::printf(
      "| noise | scale | disturbance | covers | NOISY in the end | time, of that without repeats | "
      "covers, no limit | NOISY, no limit | time, no limit |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
  for (const Noise& noise : AllNoises()) {
    for (const double scale : {0.005, 0.02}) {
      for (const StepDisturbance& disturbance : AllStepDisturbances()) {
        std::printf("| %s | %.1f %% | %s", noise.name.c_str(), scale * 100,
                    disturbance.name.c_str());
        for (const bool is_limited : {true, false}) {
          const StepCounts counts =
              SimulateSteps(disturbance, noise, scale, is_limited, searches, 7);
          std::printf(" | %.3f | %.3f | %.2f", static_cast<double>(counts.covered) / counts.steps,
                      static_cast<double>(counts.noisy) / counts.steps, counts.times());
        }
        std::printf(" |\n");
        std::fflush(stdout);
      }
    }
  }
}

int Main(int argc, char** argv) {
  int trials = 10'000;
  if (argc == 3 && std::string_view(argv[1]) == "--trials") trials = std::atoi(argv[2]);
  if ((argc != 1 && argc != 3) || trials < 100) {
    std::fprintf(stderr, "usage: timing_statistics [--trials N], N >= 100\n");
    return 2;
  }
  std::printf("%d trials a cell\n", trials);
  PrintCoverage(trials);
  PrintFlags(trials);
  PrintClaims(trials);
  PrintVersus(trials);
  PrintSteps(trials);
  return 0;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
