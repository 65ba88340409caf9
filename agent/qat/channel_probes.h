// Which variables of channels a probe reads one by one, and what the others get.
//
// A layer may have as many variables as channels, and a probe costs a forward pass for each width: at
// one channel a variable, ResNet-8 would take 2,000 of them. So the channels of a layer share what
// the layer as a whole costs, each by the error that quantization makes in its outputs:
//
//   share of channel c at b bits  ~  scale[c]^2 x sum over its weights of (w - quantized w)^2
//
// scale: of the batch norm that follows, so that channels are compared where the next layer reads
// them. Shares of a layer add up to what was probed, as a search adds them up again.
//
// Source: the error of weights as a stand-in for the loss of one channel: Yao et al., "HAWQ-V3: Dyadic
// Neural Network Quantization", ICML 2021, arXiv:2011.10680, section 3.4, with the curvature that is
// the same for all channels of a layer left out.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "policies/search_problem.h"

namespace bitpilot {

// Up to so many variables of channels are each probed: a few minutes for a network of CIFAR's size.
inline constexpr std::size_t kMaxChannelProbes = 64;

struct ChannelProbe {
  DecisionVariable probed;           // all positions of the members; widths are the union of theirs
  std::vector<std::size_t> members;  // indices of variables, ascending
};

// One probe for each variable, in their order; where more than kMaxChannelProbes are of channels, one
// for those of each layer, at the place of the first. Variables with ties always have their own.
std::vector<ChannelProbe> MakeChannelProbes(const std::vector<DecisionVariable>& variables);

// Fills increases[v] of the probe's members, parallel to variables[v].widths.
//
// row: of probe.probed, parallel to its widths.   weights: [O, depth] of its layer.   scale: [O].
// Neither is read where the probe has one member. Members of equal errors (none, for example) share
// by their channels.
void ShareIncrease(const ChannelProbe& probe, const std::vector<double>& row,
                   const std::vector<DecisionVariable>& variables, std::span<const float> weights,
                   std::span<const double> scale, std::vector<std::vector<double>>& increases);

}  // namespace bitpilot
