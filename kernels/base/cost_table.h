// CostTable: what a board (or a published model of one) charges for each operation at each width.
//
// One text format serves the daemon's `--backend model:FILE`, the agent's `--device model:FILE` and
// exports:
//
//   bitpilot-cost-table 1
//   operations 2                               # optional: how many lines begin with "op"
//   name mpic                                  # who answers
//   source "Risso et al., IGSC 2022, D.4"      # where the numbers come from; required
//   energy_unit uJ-model                       # optional; has "model" in it: never plain joules
//   energy_fit_error 0.034                     # optional: fitted to measurements; 95 %, relative
//   overhead latency_ns 1200 energy 0.1        # per inference: what no operation owns
//   op conv1 w 8 a 8 latency_ns 15000 energy 1.9
//   op pool latency_ns 300                     # operations without weights: no widths
//
// Every line ends with a newline, the last one too. With that, and with `operations` ahead of the
// rest (FormatCostTable() writes it), no part of a file that was cut off reads as a table.
//
// '#' starts a comment. A layer's `w` is its weights' width, `a` the width of the tensor it reads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "kernels/base/bit_assignment.h"
#include "kernels/base/energy.h"
#include "kernels/base/status.h"
#include "kernels/base/topology.h"

namespace bitpilot {

struct Cost {
  double latency_ns = 0.0;
  std::optional<double> energy;  // In CostTable::energy_unit.
};

struct CostTable {
  std::string name;
  std::string source;
  std::string energy_unit;  // Empty: the table has no energies.
  // Of energies that were fitted to measured ones: half-width of the 95 % interval of a network's,
  // relative. Absent: a table of costs, which states none.
  std::optional<double> energy_fit_error = std::nullopt;
  double overhead_latency_ns = 0.0;
  double overhead_energy = 0.0;
  // Key: operation name, weight bits, activation bits; (name, 0, 0) without weights.
  std::map<std::tuple<std::string, int, int>, Cost> operations;
};

// MODEL_FITTED, MODEL_TABLE, or NONE for a table without energies.
EnergyTier EnergyTierOf(const CostTable& table);

// Errors: kInvalidArgument / kDataCorrupt with the line number, what was expected and what came.
Result<CostTable> ParseCostTable(std::string_view text);
std::string FormatCostTable(const CostTable& table);
// Errors: ReadTextFile()'s; kDataCorrupt with the file's name.
Result<CostTable> ReadCostTableFile(const std::string& path);

// Cost of one inference of `topology` at `assignment`: the overhead plus every operation's row. A
// layer with channel runs is charged the rows of its widths in proportion to the channels.
// Operations without weights that the table does not list are free.
//
// Errors:
//   kNotFound  a layer or width the table does not list; names the missing row as it should be
//              written, and the network that the table is of if that is another one.
Result<Cost> PredictCost(const CostTable& table, const Topology& topology,
                         const BitAssignment& assignment);

// The share of each operation in PredictCost(), [num_operations]; the overhead belongs to none of
// them.
//
// Errors: as PredictCost.
Result<std::vector<Cost>> PredictOperationCosts(const CostTable& table, const Topology& topology,
                                                const BitAssignment& assignment);

}  // namespace bitpilot
