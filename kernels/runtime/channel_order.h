// Channel order: output channels of equal widths beside each other, so that a kernel's block of 16
// channels is seldom as slow as one wide channel in it.
//
// Which channels a search keeps wide has nothing to do with where they are. Reordering a layer's
// outputs costs nothing at run time: the weights of whoever reads them are reordered along.
// Tensors that are added channel by channel share one order. Source: channel-wise mixed precision
// (Risso et al., IGSC 2022) sorts channels to the same end.
#pragma once

#include <optional>

#include "kernels/base/network.h"

namespace bitpilot {

// The network with its channels in the order that makes blocks of 16 channels cheapest, bit for bit
// the same function; nothing if the order it has is as good. The order of the input, of the logits
// and of what grouped convolutions and option-A shortcuts with added channels touch stays.
//
// REQUIRES: ValidateNetwork(network).ok().
std::optional<Network> GroupChannelsByWidth(const Network& network);

}  // namespace bitpilot
