#include "policies/cost_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "kernels/base/check.h"
#include "policies/index.h"

namespace bitpilot {
namespace {

Status ValidateVariable(const DecisionVariable& variable, std::size_t limit) {
  const std::string who = "decision variable \"" + variable.name + "\"";
  if (variable.index < 0 || AsIndex(variable.index) >= limit) {
    return InvalidArgument(who + ": index " + std::to_string(variable.index) +
                           " names no layer or tensor, there are " + std::to_string(limit));
  }
  if (variable.widths.empty() || variable.widths.front() < 1 || variable.widths.back() > 8 ||
      !std::is_sorted(variable.widths.begin(), variable.widths.end()) ||
      std::adjacent_find(variable.widths.begin(), variable.widths.end()) != variable.widths.end()) {
    return InvalidArgument(who + ": widths must be ascending numbers in 1..8, at least one");
  }
  if (variable.sensitivity.size() != variable.widths.size() ||
      !std::all_of(variable.sensitivity.begin(), variable.sensitivity.end(),
                   [](double nats) { return std::isfinite(nats); })) {
    return InvalidArgument(who + ": expected one finite sensitivity for each of " +
                           std::to_string(variable.widths.size()) + " widths");
  }
  return Status();
}

}  // namespace

class CostModelBuilder {
 public:
  explicit CostModelBuilder(const SearchProblem& problem)
      : problem_(problem),
        layers_(LayerOperations(problem.topology)),
        weight_variable_(layers_.size(), -1),
        activation_variable_(AsIndex(problem.topology.num_stored_tensors()), -1) {}

  Result<CostModel> Build() {
    BITPILOT_RETURN_IF_ERROR(IndexVariables());
    BITPILOT_RETURN_IF_ERROR(PredictUniform8());
    AddWeightlessOperations();
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
      BITPILOT_RETURN_IF_ERROR(AddLayer(layer));
    }
    return std::move(model_);
  }

 private:
  Status IndexVariables() {
    BITPILOT_RETURN_IF_ERROR(ValidateTopology(problem_.topology));
    BITPILOT_RETURN_IF_ERROR(ValidateAssignment(problem_.topology, problem_.base));
    for (std::size_t i = 0; i < problem_.variables.size(); ++i) {
      const DecisionVariable& variable = problem_.variables[i];
      const bool weights = variable.kind == DecisionVariable::Kind::kWeights;
      std::vector<int>& owner = weights ? weight_variable_ : activation_variable_;
      BITPILOT_RETURN_IF_ERROR(ValidateVariable(variable, owner.size()));
      int& slot = owner[AsIndex(variable.index)];
      if (slot >= 0) {
        return InvalidArgument("decision variable \"" + variable.name + "\" is listed twice");
      }
      slot = static_cast<int>(i);
    }
    model_.operations_of_variable_.resize(problem_.variables.size());
    model_.num_weights_.resize(problem_.variables.size());
    return Status();
  }

  Status PredictUniform8() {
    const Result<Cost> cost =
        PredictCost(problem_.table, problem_.topology, UniformAssignment(problem_.topology, 8, 8));
    if (!cost.ok()) {
      return cost.status();
    }
    if (!(cost->latency_ns > 0.0) || !std::isfinite(cost->latency_ns)) {
      return InvalidArgument("cost table \"" + problem_.table.name +
                             "\": uniform 8 bit must take longer than 0 ns");
    }
    latency8_ns_ = cost->latency_ns;
    energy8_ = cost->energy.value_or(0.0);
    model_.has_energy_ = energy8_ > 0.0;
    model_.fixed_latency_ratio_ = problem_.table.overhead_latency_ns / latency8_ns_;
    model_.fixed_energy_ratio_ = model_.has_energy_ ? problem_.table.overhead_energy / energy8_
                                                    : model_.fixed_latency_ratio_;
    return Status();
  }

  void AddWeightlessOperations() {
    for (const Operation& operation : problem_.topology.operations) {
      const auto row = problem_.table.operations.find({operation.name, 0, 0});
      if (!HasWeights(operation) && row != problem_.table.operations.end()) {
        AddCost(row->second, 1.0, model_.fixed_latency_ratio_, model_.fixed_energy_ratio_);
      }
    }
  }

  Status AddLayer(std::size_t layer) {
    const Operation& operation = problem_.topology.operations[AsIndex(layers_[layer])];
    SearchedOperation searched;
    searched.weight_variable = weight_variable_[layer];
    searched.activation_variable = activation_variable_[AsIndex(operation.input)];
    const std::int64_t depth = WeightDepth(problem_.topology, layers_[layer]);
    for (const int bits : WidthsOf(searched.activation_variable)) {
      const int read_bits =
          bits > 0 ? bits : problem_.base.activation_bits[AsIndex(operation.input)];
      for (const int weight_bits : WidthsOf(searched.weight_variable)) {
        const std::vector<ChannelRun> runs =
            weight_bits > 0
                ? std::vector<ChannelRun>{{.channels = operation.out_channels, .bits = weight_bits}}
                : problem_.base.weight_bits[layer];
        double& latency = searched.latency_ratio[AsIndex(weight_bits)][AsIndex(bits)];
        double& energy = searched.energy_ratio[AsIndex(weight_bits)][AsIndex(bits)];
        BITPILOT_RETURN_IF_ERROR(AddRuns(operation, runs, read_bits, latency, energy));
      }
    }
    if (searched.weight_variable >= 0) {
      model_.num_weights_[AsIndex(searched.weight_variable)] = depth * operation.out_channels;
    } else {
      for (const ChannelRun& run : problem_.base.weight_bits[layer]) {
        model_.fixed_weight_bits_ += depth * run.channels * run.bits;
      }
    }
    Register(searched);
    return Status();
  }

  // Charges the rows of the runs' widths in proportion to their channels.
  Status AddRuns(const Operation& operation, const std::vector<ChannelRun>& runs, int read_bits,
                 double& latency_ratio, double& energy_ratio) const {
    for (const ChannelRun& run : runs) {
      const auto row = problem_.table.operations.find({operation.name, run.bits, read_bits});
      if (row == problem_.table.operations.end()) {
        return Status(
            StatusCode::kNotFound,
            "cost table \"" + problem_.table.name + "\" lacks the row \"op " + operation.name +
                " w " + std::to_string(run.bits) + " a " + std::to_string(read_bits) +
                " latency_ns ...\"; measure it (bitpilot profile) or search fewer widths");
      }
      AddCost(row->second, static_cast<double>(run.channels) / operation.out_channels,
              latency_ratio, energy_ratio);
    }
    return Status();
  }

  void AddCost(const Cost& cost, double share, double& latency_ratio, double& energy_ratio) const {
    const double latency = share * cost.latency_ns / latency8_ns_;
    latency_ratio += latency;
    energy_ratio += model_.has_energy_ ? share * cost.energy.value_or(0.0) / energy8_ : latency;
  }

  void Register(const SearchedOperation& searched) {
    if (searched.weight_variable < 0 && searched.activation_variable < 0) {
      model_.fixed_latency_ratio_ += searched.latency_ratio[0][0];
      model_.fixed_energy_ratio_ += searched.energy_ratio[0][0];
      return;
    }
    for (const int variable : {searched.weight_variable, searched.activation_variable}) {
      if (variable >= 0) {
        model_.operations_of_variable_[AsIndex(variable)].push_back(
            static_cast<int>(model_.operations_.size()));
      }
    }
    model_.operations_.push_back(searched);
  }

  // Legal widths, or {0} where the width is fixed.
  std::vector<int> WidthsOf(int variable) const {
    return variable < 0 ? std::vector<int>{0} : problem_.variables[AsIndex(variable)].widths;
  }

  const SearchProblem& problem_;
  const std::vector<int> layers_;
  std::vector<int> weight_variable_;      // [layers]
  std::vector<int> activation_variable_;  // [stored tensors]
  double latency8_ns_ = 0.0;
  double energy8_ = 0.0;
  CostModel model_;
};

double SearchedOperation::At(const std::array<std::array<double, 9>, 9>& ratios,
                             const Choice& choice) const {
  const int weight_bits = weight_variable < 0 ? 0 : choice[AsIndex(weight_variable)];
  const int read_bits = activation_variable < 0 ? 0 : choice[AsIndex(activation_variable)];
  return ratios[AsIndex(weight_bits)][AsIndex(read_bits)];
}

Result<CostModel> CostModel::Create(const SearchProblem& problem) {
  return CostModelBuilder(problem).Build();
}

PredictedCost CostModel::Predict(const Choice& choice) const {
  PredictedCost cost;
  cost.latency_ratio = LatencyRatio(choice);
  if (has_energy_) {
    double energy = fixed_energy_ratio_;
    for (const SearchedOperation& operation : operations_) {
      energy += operation.EnergyRatio(choice);
    }
    cost.energy_ratio = energy;
  }
  std::int64_t bits = fixed_weight_bits_;
  for (std::size_t i = 0; i < choice.size(); ++i) {
    bits += num_weights_[i] * choice[i];
  }
  cost.weight_bytes = (bits + 7) / 8;
  return cost;
}

double CostModel::LatencyRatio(const Choice& choice) const {
  BITPILOT_CHECK(choice.size() == num_weights_.size());
  double latency = fixed_latency_ratio_;
  for (const SearchedOperation& operation : operations_) {
    latency += operation.LatencyRatio(choice);
  }
  return latency;
}

std::vector<double> CostModel::OperationLatencyRatios(const Choice& choice) const {
  std::vector<double> ratios;
  ratios.reserve(operations_.size());
  for (const SearchedOperation& operation : operations_) {
    ratios.push_back(operation.LatencyRatio(choice));
  }
  return ratios;
}

std::vector<double> CostModel::OperationEnergyRatios(const Choice& choice) const {
  std::vector<double> ratios;
  ratios.reserve(operations_.size());
  for (const SearchedOperation& operation : operations_) {
    ratios.push_back(operation.EnergyRatio(choice));
  }
  return ratios;
}

double CostModel::LatencyRatioDelta(const Choice& choice, int variable, int bits) const {
  double delta = 0.0;
  for (const int index : OperationsOf(variable)) {
    const SearchedOperation& operation = operations_[AsIndex(index)];
    int weight_bits =
        operation.weight_variable < 0 ? 0 : choice[AsIndex(operation.weight_variable)];
    int read_bits =
        operation.activation_variable < 0 ? 0 : choice[AsIndex(operation.activation_variable)];
    const double before = operation.latency_ratio[AsIndex(weight_bits)][AsIndex(read_bits)];
    (operation.weight_variable == variable ? weight_bits : read_bits) = bits;
    delta += operation.latency_ratio[AsIndex(weight_bits)][AsIndex(read_bits)] - before;
  }
  return delta;
}

const std::vector<int>& CostModel::OperationsOf(int variable) const {
  return operations_of_variable_[AsIndex(variable)];
}

std::int64_t CostModel::NumWeights(int variable) const { return num_weights_[AsIndex(variable)]; }

}  // namespace bitpilot
