// What the search of one seed and its references came to, as a file, and the table of several seeds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/base/status.h"

namespace bitpilot {

// What the bar asks for.
inline constexpr double kMostLatencyRatio = 0.52;  // of uniform 8 bit
inline constexpr double kMostLoss = 0.005;         // test accuracy below uniform 8 bit's, in [0, 1]
inline constexpr double kTie = 1.01;               // times the latency of a reference

inline constexpr char kFoundName[] = "found";
inline constexpr char kUniform8Name[] = "w8a8";  // the reference of all ratios

// One trained network, measured in rounds that all of the seed share.
struct TrainedRow {
  std::string name;
  double validation_accuracy = 0.0;  // in [0, 1], as the next one
  double test_accuracy = 0.0;
  double latency_ratio = 0.0;  // to the row of uniform 8 bit
  double latency_low = 0.0;    // its interval
  double latency_high = 0.0;
  double found_ratio = 0.0;  // the found row's latency, as a ratio to this one's
};

struct SeedResult {
  std::uint64_t seed = 0;
  std::string found_label;             // of the study's table
  std::int64_t found_batches = 0;      // mini-batches that the found row's weights had had
  std::int64_t reference_batches = 0;  // that each reference had
  int comparisons = 1;                 // how often all were measured; the last one counts
  std::string verdict;                 // "OK", or why that one was NOISY
  std::vector<TrainedRow> rows;        // the found one first
};

// Errors: of WriteSeedResult(), WriteFileAtomically()'s; of ReadSeedResult(), ReadFile()'s, and
// kDataCorrupt names the file.
Status WriteSeedResult(const std::string& path, const SeedResult& result);
Result<SeedResult> ReadSeedResult(const std::string& path);

// Prints the rows' means over the seeds, each bar, and whether it is met.
//
// Errors: kInvalidArgument unless all seeds differ and have the same rows, the found one and uniform 8
// bit among them.
Status PrintHeadline(const std::vector<SeedResult>& seeds);

}  // namespace bitpilot
