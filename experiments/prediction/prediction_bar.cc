// Holds a board's table to its bar: the error of its predicted ratios to uniform 8 bit for networks
// that it has not seen, each measured in interleaved rounds with the 8-bit network.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "agent/device/local_board.h"
#include "agent/fleet/board.h"
#include "agent/profile/build_lut.h"
#include "agent/profile/lut.h"
#include "agent/profile/profile_plan.h"
#include "kernels/base/file_io.h"
#include "kernels/base/round_comparison.h"
#include "kernels/base/standard_networks.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

// Not the seed of a profile's own checks.
constexpr std::uint64_t kUnseenSeed = 50;
constexpr std::uint64_t kWeightSeed = 3;  // any: times do not depend on the data
constexpr std::size_t kNetworksPerJob = 7;
constexpr int kMaxAttempts = 3;  // of a disturbed measurement
constexpr double kMedianBar = 0.05;
constexpr double kWorstBar = 0.10;

struct Flags {
  std::string lut;
  int assignments = 50;
  std::string csv;
};

// All are ratios to uniform 8 bit.
struct Comparison {
  double predicted = 0.0;
  MedianInterval measured;       // wall time
  MedianInterval measured_cpu;   // thread CPU time: what can be judged beside other work
  double uniform8_cpu_ns = 0.0;  // of the 8-bit network beside it
  bool noisy = false;
  double error() const { return std::abs(predicted / measured.median - 1.0); }
  double cpu_error() const { return std::abs(predicted / measured_cpu.median - 1.0); }
};

Status CompareJob(const std::vector<BitAssignment>& assignments, const CostTable& table,
                  const Topology& topology, Board& board, std::vector<Comparison>& comparisons) {
  std::vector<Network> networks;
  networks.push_back(RandomNetwork(
      topology, UniformAssignment(topology, 8, 8, /*search_ends=*/true), kWeightSeed));
  for (const BitAssignment& assignment : assignments)
    networks.push_back(RandomNetwork(topology, assignment, kWeightSeed));
  MeasureJob job;
  job.tier = Tier::kAudit;
  for (const Network& network : networks) job.networks.push_back(&network);
  Result<Measurement> measurement = board.Measure(job);
  for (int attempt = 2; attempt <= kMaxAttempts; ++attempt) {
    if (!measurement.ok() || measurement->status != MeasureStatus::kNoisy) break;
    measurement = board.Measure(job);
  }
  if (!measurement.ok()) return measurement.status();
  if (!HasNumbers(measurement->status))
    return Status(StatusCode::kUnavailable,
                  std::string(ToString(measurement->status)) + " " + measurement->detail);
  for (std::size_t i = 0; i < assignments.size(); ++i) {
    const Result<double> predicted = PredictRatio(table, topology, assignments[i]);
    if (!predicted.ok()) return predicted.status();
    const NetworkMeasurement& measured = measurement->networks[i + 1];
    const NetworkMeasurement& uniform8 = measurement->networks.front();
    comparisons.push_back({*predicted, RatioOfRounds(measured.window_ns, uniform8.window_ns),
                           RatioOfRounds(measured.window_cpu_ns, uniform8.window_cpu_ns),
                           Median(uniform8.window_cpu_ns),
                           measurement->status == MeasureStatus::kNoisy});
  }
  return Status();
}

Status WriteCsv(const std::string& path, const std::vector<Comparison>& comparisons) {
  std::string csv =
      "predicted_ratio,measured_ratio,measured_low,measured_high,error,cpu_error,"
      "uniform8_cpu_us,disturbed\n";
  for (const Comparison& one : comparisons) {
    char line[160];
    std::snprintf(line, sizeof line, "%.4f,%.4f,%.4f,%.4f,%.4f,%.4f,%.2f,%d\n", one.predicted,
                  one.measured.median, one.measured.low, one.measured.high, one.error(),
                  one.cpu_error(), 1e-3 * one.uniform8_cpu_ns, one.noisy ? 1 : 0);
    csv += line;
  }
  return WriteFileAtomically(path, csv);
}

// One row of the README's table. True if the bar is met.
bool Print(const std::string& name, const std::vector<Comparison>& comparisons) {
  std::vector<double> errors;
  std::vector<double> cpu_errors;
  std::vector<double> ratios;
  int disturbed = 0;
  for (const Comparison& one : comparisons) {
    errors.push_back(one.error());
    cpu_errors.push_back(one.cpu_error());
    ratios.push_back(one.measured.median);
    disturbed += one.noisy ? 1 : 0;
  }
  const auto worst = [](const std::vector<double>& of) {
    return *std::max_element(of.begin(), of.end());
  };
  const bool met = Median(errors) <= kMedianBar && worst(errors) <= kWorstBar;
  std::printf("| %s | %zu | %.3f to %.3f | %.1f %% | %.1f %% | %.1f %% | %.1f %% | %d | %s |\n",
              name.c_str(), errors.size(), *std::min_element(ratios.begin(), ratios.end()),
              worst(ratios), 100.0 * Median(errors), 100.0 * worst(errors),
              100.0 * Median(cpu_errors), 100.0 * worst(cpu_errors), disturbed,
              met ? "met" : "MISSED");
  return met;
}

// True if the bar is met.
Result<bool> Run(const Flags& flags) {
  const Result<std::string> text = ReadFile(flags.lut);
  if (!text.ok()) return text.status();
  const Result<Lut> lut = ParseLut(*text);
  if (!lut.ok()) return lut.status().WithContext(flags.lut);
  const Result<Topology> topology = StandardTopology(lut->model);
  if (!topology.ok()) return topology.status();
  Result<std::unique_ptr<Board>> board = StartLocalBoard("local:" + lut->board.isa, {});
  if (!board.ok()) return board.status();
  if ((*board)->info().cpu_model != lut->board.cpu_model ||
      (*board)->info().kernel_build != lut->board.kernel_build) {
    std::fprintf(stderr, "note: %s was profiled on another CPU or with other kernels\n",
                 flags.lut.c_str());
  }
  const CostTable table = ToCostTable(*lut);
  const std::vector<BitAssignment> unseen =
      RandomAssignments(*topology, lut->bits, flags.assignments, kUnseenSeed);
  std::vector<Comparison> comparisons;
  for (std::size_t begin = 0; begin < unseen.size(); begin += kNetworksPerJob) {
    const std::size_t end = std::min(unseen.size(), begin + kNetworksPerJob);
    const std::vector<BitAssignment> job(unseen.begin() + static_cast<std::ptrdiff_t>(begin),
                                         unseen.begin() + static_cast<std::ptrdiff_t>(end));
    BITPILOT_RETURN_IF_ERROR(CompareJob(job, table, *topology, **board, comparisons));
  }
  const bool met = Print(lut->name, comparisons);
  if (!flags.csv.empty()) BITPILOT_RETURN_IF_ERROR(WriteCsv(flags.csv, comparisons));
  return met;
}

int Main(int argc, char** argv) {
  CLI::App app("The error of a board's table for networks that it has not seen", "prediction_bar");
  Flags flags;
  app.add_option("lut", flags.lut, "A lut.json that bitpilot profile made on this machine")
      ->required();
  app.add_option("--assignments", flags.assignments, "How many networks")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--csv", flags.csv, "Also write every prediction and measurement there");
  CLI11_PARSE(app, argc, argv);
  const Result<bool> met = Run(flags);
  if (met.ok()) return *met ? 0 : 3;
  std::fprintf(stderr, "prediction_bar: %s\n", met.status().message().c_str());
  return 1;
}

}  // namespace
}  // namespace bitpilot

int main(int argc, char** argv) { return bitpilot::Main(argc, argv); }
