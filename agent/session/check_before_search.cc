#include "agent/session/check_before_search.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include "agent/model/image_dataset.h"
#include "agent/model/sample_data.h"
#include "agent/session/decision_variables.h"
#include "agent/session/fleet_classes.h"
#include "agent/session/named_inputs.h"
#include "kernels/base/file_io.h"
#include "policies/policy.h"

namespace bitpilot {
namespace {

// The widths that a search may give each layer's weights and each stored tensor.
struct AllowedWidths {
  std::vector<std::vector<int>> weights;      // parallel to LayerOperations()
  std::vector<std::vector<int>> activations;  // by stored tensor
};

AllowedWidths WidthsOf(const Topology& topology, const SearchConfig& config) {
  AllowedWidths allowed;
  allowed.weights.resize(LayerOperations(topology).size(), {8});
  allowed.activations.resize(static_cast<std::size_t>(topology.num_stored_tensors()), {8});
  for (const DecisionVariable& variable : MakeDecisionVariables(topology, config)) {
    // All variables of a layer have the same widths.
    for (const BitPosition& position : PositionsOf(variable)) {
      auto& all = position.kind == PositionKind::kWeights ? allowed.weights : allowed.activations;
      all[static_cast<std::size_t>(position.index)] = variable.widths;
    }
  }
  return allowed;
}

// Below what any candidate costs: every layer at the cheapest of its widths, whatever its
// neighbours have. The two minima may be of different widths.
Result<Cost> LowerBound(const CostTable& table, const Topology& topology,
                        const SearchConfig& config) {
  const AllowedWidths allowed = WidthsOf(topology, config);
  const std::vector<int> layers = LayerOperations(topology);
  Cost bound{table.overhead_latency_ns, table.overhead_energy};
  const auto add = [&bound](double latency_ns, std::optional<double> energy) {
    bound.latency_ns += latency_ns;
    *bound.energy += energy.value_or(0.0);
  };
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const Operation& op = topology.operations[static_cast<std::size_t>(layers[l])];
    std::optional<Cost> least;
    for (const int weights : allowed.weights[l]) {
      for (const int activations : allowed.activations[static_cast<std::size_t>(op.input)]) {
        const auto row = table.operations.find({op.name, weights, activations});
        if (row == table.operations.end()) continue;
        if (!least) least = row->second;
        least->latency_ns = std::min(least->latency_ns, row->second.latency_ns);
        if (row->second.energy < least->energy) least->energy = row->second.energy;
      }
    }
    if (!least) {
      return InvalidArgument("it has no time of layer " + op.name +
                             " at any of the search's widths");
    }
    add(least->latency_ns, least->energy);
  }
  for (const Operation& op : topology.operations) {
    if (HasWeights(op)) continue;
    const auto row = table.operations.find({op.name, 0, 0});
    if (row != table.operations.end()) add(row->second.latency_ns, row->second.energy);
  }
  return bound;
}

Status CheckRatio(const char* flag, const std::optional<double>& budget, double least,
                  double uniform8) {
  const double ratio = uniform8 > 0.0 ? least / uniform8 : 0.0;
  // The bound adds the rows in another order.
  constexpr double kRounding = 1e-9;
  if (!budget || ratio <= *budget * (1.0 + kRounding)) return Status();
  char text[128];
  std::snprintf(text, sizeof text, "%s %gx: no network of the search's widths is below %.3fx", flag,
                *budget, ratio);
  return InvalidArgument(std::string(text) + " by the table");
}

}  // namespace

Status CheckSizeBudget(const Topology& topology, const SearchConfig& config) {
  const std::optional<std::int64_t>& budget = config.budgets.max_weight_bytes;
  if (!budget) return Status();
  BitAssignment smallest = UniformAssignment(topology, 8, 8);
  const AllowedWidths allowed = WidthsOf(topology, config);
  for (std::size_t l = 0; l < allowed.weights.size(); ++l) {
    smallest.weight_bits[l].front().bits = allowed.weights[l].front();
  }
  const std::int64_t bytes = WeightBytes(topology, smallest);
  if (bytes <= *budget) return Status();
  return InvalidArgument("--max-size " + std::to_string(*budget) +
                         ": the smallest network of the search's widths has " +
                         std::to_string(bytes) + " bytes of weights");
}

Status CheckModelBoard(const CostTable& table, const Topology& topology,
                       const SearchConfig& config) {
  const std::string where = "--device " + config.device;
  const Result<Cost> uniform8 = PredictCost(table, topology, UniformAssignment(topology, 8, 8));
  if (!uniform8.ok()) {
    return InvalidArgument(where + ": every candidate is compared with uniform 8 bit of " +
                           topology.name + ": " + uniform8.status().message());
  }
  if (SearchesEnergy(config) && !uniform8->energy) {
    return InvalidArgument(where +
                           ": --energy search and --max-energy need energies, and its "
                           "table has none");
  }
  const Result<Cost> least = LowerBound(table, topology, config);
  if (!least.ok()) return least.status().WithContext(where);
  const Budgets& budgets = config.budgets;
  BITPILOT_RETURN_IF_ERROR(CheckRatio("--max-latency", budgets.max_latency_ratio, least->latency_ns,
                                      uniform8->latency_ns));
  return CheckRatio("--max-energy", budgets.max_energy_ratio, least->energy.value_or(0.0),
                    uniform8->energy.value_or(0.0));
}

BoardChoice BoardChoiceOf(const SearchConfig& config) {
  return {config.device, config.fleet, config.board, config.fast, config.cpu};
}

Status CheckInputsAreThere(const SearchConfig& config) {
  constexpr std::string_view kModel = "model:";
  if (config.fleet.empty() && config.device.starts_with(kModel)) {
    const std::string table = config.device.substr(kModel.size());
    // Whether else it is a file or a shipped board's name is CheckBoardChoice()'s to say.
    if (IsReadOnce(table)) return CheckCanBeReadAgain(table).WithContext("--device");
  }
  const Result<std::string> weights = WeightsFile(config);
  if (!weights.ok()) return weights.status();
  BITPILOT_RETURN_IF_ERROR(CheckCanBeReadAgain(*weights).WithContext("--weights"));
  if (config.data != "sample" && !CheckIsThere(config.data).ok()) {
    // Which says what data is.
    return LoadDataSplits(config.data).status().WithContext("--data");
  }
  if (config.teacher.empty()) return Status();
  const Result<FoundTeacher> teacher = FindTeacher(config.teacher);
  if (!teacher.ok()) return teacher.status();
  return CheckCanBeReadAgain(teacher->weights).WithContext("--teacher");
}

Result<ModelDefinition> CheckNewSearch(const SearchConfig& config) {
  BITPILOT_RETURN_IF_ERROR(ValidateSearchConfig(config));
  const std::vector<std::string> policies = PolicyNames();
  if (std::find(policies.begin(), policies.end(), config.policy) == policies.end()) {
    // The registry's own message lists the known names.
    return MakePolicy(config.policy, SearchProblem{}, config.seed).status().WithContext("--policy");
  }
  BITPILOT_RETURN_IF_ERROR(
      CheckPolicyOptions(config.policy, config.policy_options).WithContext("--policy-options"));
  Result<ModelDefinition> definition = FindModel(config.model);
  if (!definition.ok()) return definition.status().WithContext("--model");
  if (!config.teacher.empty()) BITPILOT_RETURN_IF_ERROR(FindTeacher(config.teacher).status());
  BITPILOT_RETURN_IF_ERROR(CheckSizeBudget(definition->topology, config));
  const Result<std::optional<FleetClasses>> fleet = FleetClassesOf(config);
  if (!fleet.ok()) return fleet.status();
  if (!*fleet) {
    const Result<std::optional<CostTable>> table = CheckBoardChoice(BoardChoiceOf(config));
    if (!table.ok()) return table.status();
    if (*table) BITPILOT_RETURN_IF_ERROR(CheckModelBoard(**table, definition->topology, config));
  }
  BITPILOT_RETURN_IF_ERROR(CheckInputsAreThere(config));
  return definition;
}

}  // namespace bitpilot
