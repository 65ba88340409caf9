// SearchProblem: everything a policy may know before the first step. The same for every policy, so
// that they can be compared under the same budgets.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/bit_assignment.h"
#include "kernels/base/cost_table.h"
#include "kernels/base/topology.h"

namespace bitpilot {

// Output channels [first, first + count) of a layer, in the float network's order.
struct ChannelRange {
  int first = 0;
  int count = 0;  // 0: all of the layer's, and `first` is 0
  friend bool operator==(const ChannelRange&, const ChannelRange&) = default;
};

enum class PositionKind : std::uint8_t { kWeights, kActivations };

// A place of a BitAssignment that has one width.
struct BitPosition {
  PositionKind kind = PositionKind::kWeights;
  int index = 0;          // layer (kWeights) or stored tensor (kActivations), as in BitAssignment
  ChannelRange channels;  // of a layer; a tensor has one width
  friend bool operator==(const BitPosition&, const BitPosition&) = default;
};

// One width to choose: of a layer's weights or some of its channels, or of a stored tensor; and of
// everything that must have the same width.
struct DecisionVariable {
  using Kind = PositionKind;
  Kind kind = Kind::kWeights;
  int index = 0;
  std::string name;         // the layer's or tensor's name; of channels "conv1[16..31]"
  std::vector<int> widths;  // legal widths, ascending, never empty
  // Estimated increase of the loss over 8 bits when only this variable has widths[k]; parallel to
  // `widths`, in nats, from a post-training probe.
  std::vector<double> sensitivity;
  ChannelRange channels = {};          // of the layer `index`
  std::vector<BitPosition> ties = {};  // the positions that share the width, beside the first
};

// All positions that `variable` sets, the first one first.
std::vector<BitPosition> PositionsOf(const DecisionVariable& variable);

// `channels` with its count spelled out, of a layer of `out_channels`.
ChannelRange Resolved(const ChannelRange& channels, int out_channels);

// How the figures of one candidate on several classes of boards become the one number that a decision
// needs (policies/class_objective.h). With one class all are the same.
struct ClassObjective {
  enum class Kind : std::uint8_t {
    kMean,   // over the classes; none unless all measured it
    kWorst,  // of the class on which it gains least
    kOne,    // of the class `on`
  };
  Kind kind = Kind::kMean;
  std::string on = {};
  friend bool operator==(const ClassObjective&, const ClassObjective&) = default;
};

// "worst", "mean", or a class's name.
ClassObjective ParseClassObjective(const std::string& text);

// Which energy, if any, is an objective beside error and latency.
enum class EnergyObjective : std::uint8_t {
  kNone,
  kMeasured,  // gross energy of an inference, as the board's sensor or meter sees it
  kModel,     // what a model board's table claims, in its own unit: never called measured
};

// Promises that a reported candidate must keep when it is measured again. Ratios are to uniform 8
// bit.
struct Budgets {
  std::optional<double> max_latency_ratio = std::nullopt;
  std::optional<double> max_energy_ratio = std::nullopt;
  std::optional<std::int64_t> max_weight_bytes = std::nullopt;
  std::optional<double> min_accuracy = std::nullopt;  // In [0, 1], on the validation range.
};

// True if any was given.
bool HasBudget(const Budgets& budgets);

// What budgets limit, of one network. Infinite where a figure is not known; 0 where it is not asked for.
struct BudgetedFigures {
  double latency_ratio = 0.0;
  double energy_ratio = 0.0;
  std::int64_t weight_bytes = 0;
  double error_rate = 0.0;  // 1 - accuracy
};
// True if every budget that was given is kept.
bool KeepsBudgets(const Budgets& budgets, const BudgetedFigures& figures);

// The uniform 8-bit network, measured and evaluated: the anchor of every ratio.
struct Reference {
  double latency_ns = 0.0;
  double loss = 0.0;      // validation, nats
  double accuracy = 0.0;  // validation, in [0, 1]
};

// The twin, uniform 8 bit trained alone for as long as the search may train: what losses are compared
// with (policies/reward.h).
struct AnchorReading {
  int batches = 0;          // that the twin had had
  double loss = 0.0;        // validation, nats
  double loss_error = 0.0;  // standard error of it
  double error = 0.0;       // 1 - accuracy, validation
  friend bool operator==(const AnchorReading&, const AnchorReading&) = default;
};
struct Anchor {
  std::vector<AnchorReading> readings;  // ascending in `batches`; one, at 0, where nothing trains
  // Of a search that was extended, whose twin trained on: how many of them, the first ones, are of the
  // budget that the search began with. 0: all.
  int of_first_budget = 0;
  friend bool operator==(const Anchor&, const Anchor&) = default;
};

struct SearchProblem {
  Topology topology;
  BitAssignment base;  // widths that are not searched (the ends); searched positions hold 8
  std::vector<DecisionVariable> variables;
  // Per-operation times measured on the board; predicts, never replaces, a measurement. Of several
  // classes: the objective's class's, or the mean of all as ratios to uniform 8 bit.
  CostTable table;
  Reference uniform8;
  Anchor anchor;
  Budgets budgets;
  EnergyObjective energy_objective = EnergyObjective::kNone;
  ClassObjective class_objective = {};
  int max_measurements = 0;  // as the search began
  // Mini-batches of a trial unless a policy chooses otherwise; 0: nothing trains.
  int batches_per_step = 0;
  int final_batches = 0;  // that every finalist trains after the search
  // Of a search on several classes: what uniform 8 bit took on each, ns. For whoever shows latencies;
  // decisions are made by ratios.
  std::map<std::string, double> class_uniform8_ns = {};
};

// One width per variable, parallel to SearchProblem::variables.
using Choice = std::vector<int>;

// `assignment` with all positions of `variable` at `bits`, and channel runs merged.
BitAssignment WithWidth(BitAssignment assignment, const DecisionVariable& variable, int bits);

// With channel runs merged (RunsOf()), so that equal networks have equal assignments.
//
// REQUIRES: choice has a legal width for every variable.
BitAssignment ToAssignment(const SearchProblem& problem, const Choice& choice);

// "weights NAME" or "activations NAME" of each variable, in order: what a policy's state is of.
std::vector<std::string> VariableNames(const SearchProblem& problem);

// Every variable has one of its widths.
bool IsLegal(const SearchProblem& problem, const Choice& choice);

// All variables at the legal width nearest to `bits` (the larger one of two equally near).
Choice UniformChoice(const SearchProblem& problem, int bits);

}  // namespace bitpilot
