// What the search of one seed and its references came to, as a file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

// What the bar asks for.
inline constexpr double kMostLatencyRatio = 0.52;  // of uniform 8 bit
inline constexpr double kMostLoss = 0.005;         // test accuracy below uniform 8 bit's, in [0, 1]
inline constexpr double kTie = 1.01;               // times the latency of a reference
inline constexpr double kMostSeconds = 2700.0;     // of the search, on the clock
inline constexpr int kFewestSeeds = 3;

inline constexpr char kFoundName[] = "found";
inline constexpr char kUniform8Name[] = "w8a8";  // the reference of all ratios

// One way in which a reference was trained.
struct Training {
  std::string name;                  // e.g. "2e-4", its rate; "untrained"
  double validation_accuracy = 0.0;  // in [0, 1]
};

// One trained network, measured in rounds that all of the seed share.
struct TrainedRow {
  std::string name;
  std::string training;  // the one of `trainings` that it stands for; empty of the found row
  std::vector<Training> trainings;   // that it was chosen from, by validation
  double validation_accuracy = 0.0;  // in [0, 1]
  std::string predictions;           // on the test images in their order: classes, one digit each
  double latency_ratio = 0.0;        // to the row of uniform 8 bit
  double latency_low = 0.0;          // its interval
  double latency_high = 0.0;
  double found_ratio = 0.0;       // the found row's latency, as a ratio to this one's
  bool has_found_widths = false;  // the found row's widths in every layer and tensor
};

// What all results of one table share.
struct Machine {
  std::string agent_build;   // AgentBuild(): no commit, but a hash over what is built
  std::string kernel_build;  // KernelBuildId()
  std::string cpu;           // CpuClass() and the board's CPU
  friend bool operator==(const Machine&, const Machine&) = default;
};

struct SeedResult {
  std::uint64_t seed = 0;
  Machine machine;
  std::string found_label;               // of the study's table
  std::int64_t found_batches = 0;        // mini-batches that the found row's weights had had
  std::int64_t reference_batches = 0;    // that each training of a reference had
  bool found_is_program_answer = false;  // IsProgramAnswer()
  std::optional<double> search_seconds;  // on the clock, final training included; absent: unknown
  std::optional<double> search_cpu_seconds;  // absent with it
  int comparisons = 1;                       // how often all were measured; the last one counts
  std::string verdict;                       // kOkVerdict, or why that one was NOISY
  std::string labels;                        // of the test images, as TrainedRow::predictions
  std::vector<TrainedRow> rows;              // the found one first
};
inline constexpr char kOkVerdict[] = "OK";

// Classes as digits.
//
// Errors: kUnsupported if one is above 9.
Result<std::string> ClassDigits(const std::vector<std::uint8_t>& classes);

// The network that a reference stands with: of its trainings the one that validates best, of equals the
// first. REQUIRES: not empty.
std::size_t BestTraining(const std::vector<Training>& trainings);

// Errors: of WriteSeedResult(), WriteFileAtomically()'s; of ReadSeedResult(), ReadFile()'s, and
// kDataCorrupt names the file.
Status WriteSeedResult(const std::string& path, const SeedResult& result);
Result<SeedResult> ReadSeedResult(const std::string& path);

}  // namespace bitpilot
