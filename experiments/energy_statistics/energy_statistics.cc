// Tables for README.md: an energy phase's intervals against known truth, `--trials` runs a cell.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "experiments/energy_statistics/simulated_energy.h"

namespace bitpilot {
namespace {

constexpr int kRounds[] = {2, 3, 5, 6, 9};
constexpr double kScale = 0.005;
constexpr double kSlowChange = 0.01;
constexpr double kAccuracy = 0.01;

// Of AllNoises(), whose medians are 0.
std::vector<double> NoiseMeans() {
  const double pareto_mean = 3.0 - std::pow(0.5, -1.0 / 1.5);
  return {0.0, 0.0, 0.0, 1.0 - std::log(2.0), std::exp(0.5) - 1.0, pareto_mean};
}

void PrintCoverage(int trials) {
  std::printf(
      "| noise | windows | gross, exact meter | gross | net | ratio | ratio, half-width |\n");
  std::printf("|---|---|---|---|---|---|---|\n");
  const std::vector<Noise> noises = AllNoises();
  const std::vector<double> means = NoiseMeans();
  for (std::size_t i = 0; i < noises.size(); ++i) {
    for (const int rounds : kRounds) {
      const CoveredShares scatter =
          CoverEnergy(rounds, noises[i], means[i], kScale, 0.0, 0.0, trials, 1);
      const CoveredShares cover =
          CoverEnergy(rounds, noises[i], means[i], kScale, kSlowChange, kAccuracy, trials, 2);
      std::printf("| %s | %d | %.3f | %.3f | %.3f | %.3f | %.2f %% |\n", noises[i].name.c_str(),
                  rounds, scatter.gross, cover.gross, cover.net, cover.ratio,
                  cover.ratio_half_width * 100);
      std::fflush(stdout);
    }
  }
  for (const int rounds : kRounds) {
    const CoveredShares scatter = CoverSampledEnergy(rounds, 0.0, trials, 3);
    const CoveredShares cover = CoverSampledEnergy(rounds, kAccuracy, trials, 4);
    std::printf("| sampled swings | %d | %.3f | %.3f | %.3f | %.3f | %.2f %% |\n", rounds,
                scatter.gross, cover.gross, cover.net, cover.ratio, cover.ratio_half_width * 100);
    std::fflush(stdout);
  }
}

int Main(int argc, char** argv) {
  int trials = 10'000;
  if (argc == 3 && std::string_view(argv[1]) == "--trials") trials = std::atoi(argv[2]);
  if ((argc != 1 && argc != 3) || trials < 100) {
    std::fprintf(stderr, "usage: energy_statistics [--trials N], N >= 100\n");
    return 2;
  }
  std::printf("%d trials a cell\n\n", trials);
  PrintCoverage(trials);
  return 0;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
