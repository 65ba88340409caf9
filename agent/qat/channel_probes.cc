#include "agent/qat/channel_probes.h"

#include <algorithm>
#include <map>
#include <set>

#include "agent/qat/lsq_kernels.h"
#include "agent/qat/step_search.h"
#include "kernels/base/check.h"

namespace bitpilot {
namespace {

bool IsOfChannels(const DecisionVariable& variable) {
  return variable.kind == PositionKind::kWeights && variable.channels.count > 0 &&
         variable.ties.empty();
}

std::size_t PositionOf(const DecisionVariable& variable, int bits) {
  const auto found = std::lower_bound(variable.widths.begin(), variable.widths.end(), bits);
  BITPILOT_CHECK(found != variable.widths.end() && *found == bits);
  return static_cast<std::size_t>(found - variable.widths.begin());
}

// Adds a variable to the probe of its layer.
void AddMember(const DecisionVariable& variable, std::size_t index, ChannelProbe& probe) {
  probe.members.push_back(index);
  if (probe.members.size() == 1) {
    probe.probed = variable;
    return;
  }
  probe.probed.ties.push_back({variable.kind, variable.index, variable.channels});
  std::set<int> widths(probe.probed.widths.begin(), probe.probed.widths.end());
  widths.insert(variable.widths.begin(), variable.widths.end());
  probe.probed.widths.assign(widths.begin(), widths.end());
}

// Of the variable's channels at `bits`.
double OutputError(const DecisionVariable& variable, int bits, std::span<const float> weights,
                   std::span<const double> scale) {
  const std::size_t depth = weights.size() / scale.size();
  const auto first = static_cast<std::size_t>(variable.channels.first);
  const auto count = static_cast<std::size_t>(variable.channels.count);
  double error = 0.0;
  for (std::size_t c = first; c < first + count; ++c) {
    const std::span<const float> channel = weights.subspan(c * depth, depth);
    const float step = SearchWeightStep(channel, bits);
    error += scale[c] * scale[c] *
             QuantizationError(channel.data(), channel.size(), step, WeightRange(bits));
  }
  return error;
}

}  // namespace

std::vector<ChannelProbe> MakeChannelProbes(const std::vector<DecisionVariable>& variables) {
  const auto num_channels =
      static_cast<std::size_t>(std::count_if(variables.begin(), variables.end(), IsOfChannels));
  const bool together = num_channels > kMaxChannelProbes;
  std::vector<ChannelProbe> probes;
  std::map<int, std::size_t> of_layer;
  for (std::size_t v = 0; v < variables.size(); ++v) {
    if (together && IsOfChannels(variables[v])) {
      const auto [found, is_new] = of_layer.emplace(variables[v].index, probes.size());
      if (is_new) probes.emplace_back();
      AddMember(variables[v], v, probes[found->second]);
    } else {
      probes.push_back({variables[v], {v}});
    }
  }
  return probes;
}

void ShareIncrease(const ChannelProbe& probe, const std::vector<double>& row,
                   const std::vector<DecisionVariable>& variables, std::span<const float> weights,
                   std::span<const double> scale, std::vector<std::vector<double>>& increases) {
  if (probe.members.size() == 1) {
    increases[probe.members.front()] = row;
    return;
  }
  for (const std::size_t v : probe.members) increases[v].assign(variables[v].widths.size(), 0.0);
  for (std::size_t k = 0; k < row.size(); ++k) {
    const int bits = probe.probed.widths[k];
    double total_error = 0.0;
    double total_channels = 0.0;
    std::map<std::size_t, double> errors;
    for (const std::size_t v : probe.members) {
      const DecisionVariable& variable = variables[v];
      errors[v] = OutputError(variable, bits, weights, scale);
      total_error += errors[v];
      total_channels += variable.channels.count;
    }
    for (const std::size_t v : probe.members) {
      const DecisionVariable& variable = variables[v];
      if (!std::binary_search(variable.widths.begin(), variable.widths.end(), bits)) continue;
      const double share =
          total_error > 0.0 ? errors[v] / total_error : variable.channels.count / total_channels;
      increases[v][PositionOf(variable, bits)] = share * row[k];
    }
  }
}

}  // namespace bitpilot
