// Lut: a board's own look-up table, layer x weight bits x activation bits, as `bitpilot profile`
// makes it. Its file, lut.json, version 1:
//
//   {"format":"bitpilot-lut", "version":1,
//    "name":"resnet20-avx2",          results then say MODEL:<name>
//    "model":"resnet20",
//    "source":"measured",             or "MODEL:<table>": then the board was a model itself
//    "board":{"cpu_model","isa","kernel_build","daemon_build","backend",...},
//    "fingerprint":"0123456789ab",    latencies of another one are another board's
//    "profile":{"bits":[2,...,8], "quick", "networks", "disturbed"},
//    "reference":{"assignment":"uniform 8 bit", "clock":"wall",
//                 "latency_median_ns", "latency_low_ns", "latency_high_ns"},
//    "overhead_ns":0,                 of an inference, what no operation owns
//    "entries":[{"layer":"layer1.0.conv1", "weight_bits":4, "activation_bits":8,
//                "latency_median_ns", "latency_low_ns", "latency_high_ns", "confidence", "samples",
//                "kernel", "weight_bytes", "energy_uj":null, "energy_source":"NONE"}, ...],
//    "other_operations":[...],        the same without widths: pools, shortcuts
//    "check":{"prediction_error_median", "prediction_error_worst",
//             "networks":[{"assignment", "predicted_ratio",
//                          "measured_ratio", "measured_low", "measured_high"}, ...]}}
//
// `networks` counts what was measured, `disturbed` those of them in measurements with status NOISY.
// The reference has its ends at 8 bits, too; all times are scaled to it. Its clock is "wall", or
// "thread CPU" if every measurement was disturbed.
//
// Layer and operation names are the topology's. `activation_bits` is the width of the tensor that
// the layer reads. An inference is predicted as the overhead plus every operation's row: exactly
// what PredictCost() does with the table that ToCostTable() gives. `check` compares that with whole
// networks that the table was not made from, as ratios to uniform 8 bit (thread CPU times of
// interleaved rounds); errors are |predicted / measured - 1|.
//
// Energy is null with the source "NONE" unless a meter measured it; an entry never holds an
// estimate.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct LutEntry {
  std::string operation;
  int weight_bits = 0;  // 0: an operation without weights
  int activation_bits = 0;
  double latency_ns = 0.0;  // median of the samples, with the exact interval of that median
  double latency_low_ns = 0.0;
  double latency_high_ns = 0.0;
  double confidence = 0.0;
  int samples = 0;
  std::string kernel;
  std::int64_t weight_bytes = 0;  // weights x bits / 8, rounded up
  std::optional<double> energy_uj;
  std::string energy_source = "NONE";
};

// A whole network that the table was not made from.
struct LutCheck {
  std::string assignment;  // CanonicalText()
  double predicted_ratio = 0.0;
  double measured_ratio = 0.0;
  double measured_low = 0.0;
  double measured_high = 0.0;
  double error() const;  // |predicted / measured - 1|
};

struct Lut {
  std::string name;
  std::string model;
  std::string source;
  BoardInfo board;
  std::string fingerprint;  // FingerprintOf(board), agent/fleet/board_conditions.h
  std::vector<int> bits;
  bool quick = false;
  int networks = 0;
  int disturbed = 0;
  std::string reference_clock = "wall";
  double reference_ns = 0.0;
  double reference_low_ns = 0.0;
  double reference_high_ns = 0.0;
  double overhead_ns = 0.0;
  std::vector<LutEntry> entries;  // layers in network order, then weight bits, activation bits;
                                  // operations without weights at the end
  std::vector<LutCheck> checks;

  double prediction_error_median() const;  // of the checks; 0 without any
  double prediction_error_worst() const;
};

// The file's text.
std::string FormatLut(const Lut& lut);

// Errors:
//   kDataCorrupt      `text` is no such table: what was expected and what came.
//   kVersionMismatch  of another version.
Result<Lut> ParseLut(const std::string& text);

// The table in the form that predicts (kernels/base/cost_table.h) and that bitpilotd's
// `--backend model:FILE` reads. Its source names board, kernels and the prediction error.
CostTable ToCostTable(const Lut& lut);

}  // namespace bitpilot
