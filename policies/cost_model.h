// CostModel: what the board's table predicts for a Choice, fast enough to ask millions of times.
//
// An operation with weights costs what the table says for (width of its weights, width of the
// tensor it reads); channels of different widths are charged their rows in proportion, as
// PredictCost() does. So a choice's latency is a sum over parts of operations in which each part
// sees at most two variables. Predictions are ratios to what the same table predicts for uniform 8 bit: a
// table's common errors cancel, and they compare with measured ratios.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/base/status.h"
#include "policies/search_problem.h"

namespace bitpilot {

// Predicted cost of one choice.
struct PredictedCost {
  double latency_ratio = 0.0;
  std::optional<double> energy_ratio;  // present exactly if the table has energies
  std::int64_t weight_bytes = 0;       // as WeightBytes(); exact, not a prediction
};

// Channels of one operation whose width one variable sets.
struct OperationPart {
  int variable = -1;   // index into SearchProblem::variables
  double share = 0.0;  // of the operation's channels
};

// One operation with weights whose cost at least one variable changes.
struct SearchedOperation {
  // By weight bits and activation bits.
  using Ratios = std::array<std::array<double, 9>, 9>;

  std::vector<OperationPart> parts;  // one for each variable that sets channels of it
  int activation_variable = -1;      // of the tensor it reads, or -1: its width is fixed
  // Share of the network's predicted uniform 8-bit latency (energy) if all channels had these weight
  // bits; [0]: what the channels cost whose width is fixed. An activation index whose variable is -1
  // is 0. A table without energies stands for one in which they are in proportion to the times.
  Ratios latency_ratio{};
  Ratios energy_ratio{};

  double LatencyRatio(const Choice& choice) const { return Sum(latency_ratio, choice); }
  double EnergyRatio(const Choice& choice) const { return Sum(energy_ratio, choice); }

  // Width of the tensor it reads; 0 if that is fixed.
  int ReadBits(const Choice& choice) const {
    return activation_variable < 0 ? 0 : choice[static_cast<std::size_t>(activation_variable)];
  }

 private:
  double Sum(const Ratios& ratios, const Choice& choice) const;
};

// Immutable. Copies no problem: `problem` must outlive it.
class CostModel {
 public:
  // Errors:
  //   kInvalidArgument  a variable that names no layer, tensor or channels of it, or one that another
  //                     variable has already; that has no widths, widths outside 1..8 or not
  //                     ascending, sensitivities that are not parallel or not finite; or a table whose uniform 8-bit latency is not positive.
  //   kNotFound         a row that the table lacks, as PredictCost() names it.
  static Result<CostModel> Create(const SearchProblem& problem);

  // REQUIRES: choice has a legal width for every variable.
  PredictedCost Predict(const Choice& choice) const;
  double LatencyRatio(const Choice& choice) const;

  // What each of operations() adds to LatencyRatio(), in their order.
  std::vector<double> OperationLatencyRatios(const Choice& choice) const;

  // The same of energy: by the table's energies or, where it has none, in proportion to its times.
  std::vector<double> OperationEnergyRatios(const Choice& choice) const;

  // LatencyRatio(choice with `bits` at `variable`) - LatencyRatio(choice), up to rounding. Looks
  // only at the operations that the variable touches.
  double LatencyRatioDelta(const Choice& choice, int variable, int bits) const;

  const std::vector<SearchedOperation>& operations() const { return operations_; }

  // Indices into operations(), of those that `variable` touches, each once.
  const std::vector<int>& OperationsOf(int variable) const;

  // Weights whose width the variable sets; 0 for activations.
  std::int64_t NumWeights(int variable) const;

  double fixed_latency_ratio() const { return fixed_latency_ratio_; }  // what no variable changes
  double fixed_energy_ratio() const { return fixed_energy_ratio_; }
  std::int64_t fixed_weight_bits() const { return fixed_weight_bits_; }
  bool has_energy() const { return has_energy_; }

 private:
  friend class CostModelBuilder;
  CostModel() = default;

  std::vector<SearchedOperation> operations_;
  std::vector<std::vector<int>> operations_of_variable_;
  std::vector<std::int64_t> num_weights_;  // [variables]
  double fixed_latency_ratio_ = 0.0;
  double fixed_energy_ratio_ = 0.0;
  std::int64_t fixed_weight_bits_ = 0;
  bool has_energy_ = false;
};

}  // namespace bitpilot
