#include "agent/session/decision_variables.h"

namespace bitpilot {

std::vector<DecisionVariable> MakeDecisionVariables(const Topology& topology,
                                                    const SearchConfig& config) {
  std::vector<DecisionVariable> variables;
  const std::vector<int> layers = LayerOperations(topology);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const bool is_end = l == 0 || l + 1 == layers.size();
    if (is_end && !config.search_ends) continue;
    DecisionVariable variable;
    variable.kind = DecisionVariable::Kind::kWeights;
    variable.index = static_cast<int>(l);
    variable.name = topology.operations[static_cast<std::size_t>(layers[l])].name;
    variable.widths = config.weight_widths;
    variables.push_back(std::move(variable));
  }
  const int last_input = topology.operations[static_cast<std::size_t>(layers.back())].input;
  for (int tensor = 1; tensor < topology.num_stored_tensors(); ++tensor) {
    if (tensor == last_input && !config.search_ends) continue;
    DecisionVariable variable;
    variable.kind = DecisionVariable::Kind::kActivations;
    variable.index = tensor;
    variable.name = TensorName(topology, tensor);
    variable.widths = config.activation_widths;
    variables.push_back(std::move(variable));
  }
  return variables;
}

}  // namespace bitpilot
