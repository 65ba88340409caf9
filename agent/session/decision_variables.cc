#include "agent/session/decision_variables.h"

#include <algorithm>
#include <string>
#include <utility>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

// What of a layer's channels has one width. One range of all of them is {0, 0}.
std::vector<ChannelRange> RangesOf(int out_channels, const std::string& granularity) {
  int size = out_channels;
  if (granularity == "group") {
    size = kGroupChannels;
  } else if (granularity == "channel") {
    size = 1;
  } else {
    BITPILOT_CHECK(granularity == "layer");
  }
  if (size >= out_channels) return {{}};
  std::vector<ChannelRange> ranges;
  for (int first = 0; first < out_channels; first += size) {
    ranges.push_back({first, std::min(size, out_channels - first)});
  }
  return ranges;
}

// "[16..31]", "[5]", or nothing for all channels.
std::string RangeText(const ChannelRange& channels) {
  if (channels.count == 0) return "";
  std::string text = "[" + std::to_string(channels.first);
  if (channels.count > 1) text += ".." + std::to_string(channels.first + channels.count - 1);
  return text + "]";
}

}  // namespace

std::vector<DecisionVariable> MakeDecisionVariables(const Topology& topology,
                                                    const SearchConfig& config) {
  std::vector<DecisionVariable> variables;
  const std::vector<int> layers = LayerOperations(topology);
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const bool is_end = l == 0 || l + 1 == layers.size();
    if (is_end && !config.search_ends) continue;
    const Operation& op = topology.operations[static_cast<std::size_t>(layers[l])];
    for (const ChannelRange& channels : RangesOf(op.out_channels, config.granularity)) {
      DecisionVariable variable;
      variable.kind = DecisionVariable::Kind::kWeights;
      variable.index = static_cast<int>(l);
      variable.name = op.name + RangeText(channels);
      variable.widths = config.weight_widths;
      variable.channels = channels;
      variables.push_back(std::move(variable));
    }
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
