#include "policies/cost_model.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "kernels/base/check.h"
#include "policies/index.h"

namespace bitpilot {
namespace {

constexpr int kFixed = -1;  // set by no variable

std::string Who(const DecisionVariable& variable) {
  return "decision variable \"" + variable.name + "\"";
}

Status ValidateWidths(const DecisionVariable& variable) {
  if (variable.widths.empty() || variable.widths.front() < 1 || variable.widths.back() > 8 ||
      !std::is_sorted(variable.widths.begin(), variable.widths.end()) ||
      std::adjacent_find(variable.widths.begin(), variable.widths.end()) != variable.widths.end()) {
    return InvalidArgument(Who(variable) +
                           ": widths must be ascending numbers in 1..8, at least one");
  }
  if (variable.sensitivity.size() != variable.widths.size() ||
      !std::all_of(variable.sensitivity.begin(), variable.sensitivity.end(),
                   [](double nats) { return std::isfinite(nats); })) {
    return InvalidArgument(Who(variable) + ": expected one finite sensitivity for each of " +
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
        activation_variable_(AsIndex(problem.topology.num_stored_tensors()), kFixed) {}

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
    for (const int operation : layers_) {
      const int channels = problem_.topology.operations[AsIndex(operation)].out_channels;
      channel_variable_.emplace_back(AsIndex(channels), kFixed);
    }
    for (std::size_t i = 0; i < problem_.variables.size(); ++i) {
      const DecisionVariable& variable = problem_.variables[i];
      BITPILOT_RETURN_IF_ERROR(ValidateWidths(variable));
      for (const BitPosition& position : PositionsOf(variable)) {
        BITPILOT_RETURN_IF_ERROR(Claim(position, static_cast<int>(i)));
      }
    }
    model_.operations_of_variable_.resize(problem_.variables.size());
    model_.num_weights_.resize(problem_.variables.size());
    return Status();
  }

  // Notes that `variable` sets `position`, which no other one may.
  Status Claim(const BitPosition& position, int variable) {
    const std::string who = Who(problem_.variables[AsIndex(variable)]);
    const bool weights = position.kind == PositionKind::kWeights;
    const std::size_t limit = weights ? channel_variable_.size() : activation_variable_.size();
    if (position.index < 0 || AsIndex(position.index) >= limit) {
      return InvalidArgument(who + ": index " + std::to_string(position.index) +
                             " names no layer or tensor, there are " + std::to_string(limit));
    }
    std::vector<int*> slots;
    if (weights) {
      std::vector<int>& channels = channel_variable_[AsIndex(position.index)];
      const int count = static_cast<int>(channels.size());
      const ChannelRange range = Resolved(position.channels, count);
      if (range.first < 0 || range.count > count - range.first || position.channels.count < 0 ||
          (position.channels.count == 0 && position.channels.first != 0)) {
        return InvalidArgument(who + ": channels [" + std::to_string(range.first) + ", " +
                               std::to_string(range.first) + " + " + std::to_string(range.count) +
                               ") are not in its layer, which has " + std::to_string(count));
      }
      for (int c = 0; c < range.count; ++c) slots.push_back(&channels[AsIndex(range.first + c)]);
    } else {
      slots.push_back(&activation_variable_[AsIndex(position.index)]);
    }
    for (int* slot : slots) {
      if (*slot != kFixed) return InvalidArgument(who + " sets a width that is set already");
      *slot = variable;
    }
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
    const std::int64_t depth = WeightDepth(problem_.topology, layers_[layer]);
    SearchedOperation searched;
    searched.activation_variable = activation_variable_[AsIndex(operation.input)];
    // Channels of each variable, and the widths of those that none sets.
    std::map<int, int> channels;
    std::vector<int> fixed_bits;
    const std::vector<int> base_bits = ExpandRuns(problem_.base.weight_bits[layer]);
    for (std::size_t c = 0; c < base_bits.size(); ++c) {
      const int variable = channel_variable_[layer][c];
      if (variable != kFixed) {
        ++channels[variable];
        continue;
      }
      fixed_bits.push_back(base_bits[c]);
      model_.fixed_weight_bits_ += depth * base_bits[c];
    }
    std::set<int> widths;
    for (const auto& [variable, count] : channels) {
      const DecisionVariable& of = problem_.variables[AsIndex(variable)];
      widths.insert(of.widths.begin(), of.widths.end());
      searched.parts.push_back({variable, static_cast<double>(count) / operation.out_channels});
      model_.num_weights_[AsIndex(variable)] += depth * count;
    }
    for (const int bits : WidthsOf(searched.activation_variable)) {
      const int read_bits =
          bits > 0 ? bits : problem_.base.activation_bits[AsIndex(operation.input)];
      BITPILOT_RETURN_IF_ERROR(AddRuns(operation, RunsOf(fixed_bits), read_bits,
                                       searched.latency_ratio[0][AsIndex(bits)],
                                       searched.energy_ratio[0][AsIndex(bits)]));
      for (const int weight_bits : widths) {
        const std::vector<ChannelRun> all = {{operation.out_channels, weight_bits}};
        BITPILOT_RETURN_IF_ERROR(AddRuns(
            operation, all, read_bits, searched.latency_ratio[AsIndex(weight_bits)][AsIndex(bits)],
            searched.energy_ratio[AsIndex(weight_bits)][AsIndex(bits)]));
      }
    }
    Register(std::move(searched));
    return Status();
  }

  // Charges the rows of the runs' widths in proportion to their channels.
  Status AddRuns(const Operation& operation, const std::vector<ChannelRun>& runs, int read_bits,
                 double& latency_ratio, double& energy_ratio) const {
    for (const ChannelRun& run : runs) {
      if (run.bits == 0) continue;  // pruned
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

  void Register(SearchedOperation searched) {
    std::set<int> variables;
    for (const OperationPart& part : searched.parts) variables.insert(part.variable);
    if (searched.activation_variable != kFixed) variables.insert(searched.activation_variable);
    if (variables.empty()) {
      model_.fixed_latency_ratio_ += searched.latency_ratio[0][0];
      model_.fixed_energy_ratio_ += searched.energy_ratio[0][0];
      return;
    }
    for (const int variable : variables) {
      model_.operations_of_variable_[AsIndex(variable)].push_back(
          static_cast<int>(model_.operations_.size()));
    }
    model_.operations_.push_back(std::move(searched));
  }

  // Legal widths, or {0} where the width is fixed.
  std::vector<int> WidthsOf(int variable) const {
    return variable == kFixed ? std::vector<int>{0} : problem_.variables[AsIndex(variable)].widths;
  }

  const SearchProblem& problem_;
  const std::vector<int> layers_;
  std::vector<std::vector<int>> channel_variable_;  // [layers][channels]
  std::vector<int> activation_variable_;            // [stored tensors]
  double latency8_ns_ = 0.0;
  double energy8_ = 0.0;
  CostModel model_;
};

double SearchedOperation::Sum(const Ratios& ratios, const Choice& choice) const {
  const std::size_t read_bits = AsIndex(ReadBits(choice));
  double sum = ratios[0][read_bits];
  for (const OperationPart& part : parts) {
    sum += part.share * ratios[AsIndex(choice[AsIndex(part.variable)])][read_bits];
  }
  return sum;
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
  Choice changed = choice;
  changed[AsIndex(variable)] = bits;
  double delta = 0.0;
  for (const int index : OperationsOf(variable)) {
    const SearchedOperation& operation = operations_[AsIndex(index)];
    delta += operation.LatencyRatio(changed) - operation.LatencyRatio(choice);
  }
  return delta;
}

const std::vector<int>& CostModel::OperationsOf(int variable) const {
  return operations_of_variable_[AsIndex(variable)];
}

std::int64_t CostModel::NumWeights(int variable) const { return num_weights_[AsIndex(variable)]; }

}  // namespace bitpilot
