// CostModel: what the board's table predicts for a Choice, fast enough to ask millions of times.
//
// An operation with weights costs what the table says for (width of its weights, width of the
// tensor it reads), so a choice's latency is a sum over operations in which each operation sees at
// most two variables. Predictions are ratios to what the same table predicts for uniform 8 bit: a
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

// One operation with weights whose cost at least one variable changes.
struct SearchedOperation {
  int weight_variable = -1;      // index into SearchProblem::variables, or -1: the width is fixed
  int activation_variable = -1;  // of the tensor it reads, or -1
  // Share of the network's predicted uniform 8-bit latency (energy), by weight bits and activation
  // bits. An index whose variable is -1 is 0. A table without energies stands for one in which they
  // are in proportion to the times.
  std::array<std::array<double, 9>, 9> latency_ratio{};
  std::array<std::array<double, 9>, 9> energy_ratio{};

  double LatencyRatio(const Choice& choice) const { return At(latency_ratio, choice); }
  double EnergyRatio(const Choice& choice) const { return At(energy_ratio, choice); }

 private:
  double At(const std::array<std::array<double, 9>, 9>& ratios, const Choice& choice) const;
};

// Immutable. Copies no problem: `problem` must outlive it.
class CostModel {
 public:
  // Errors:
  //   kInvalidArgument  a variable that names no layer or tensor, has no widths, widths outside
  //                     1..8 or not ascending, sensitivities that are not parallel or not finite;
  //                     or a table whose uniform 8-bit latency is not positive.
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

  // Indices into operations(), of those that `variable` touches.
  const std::vector<int>& OperationsOf(int variable) const;

  // Weights of the variable's layer; 0 for activations.
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
