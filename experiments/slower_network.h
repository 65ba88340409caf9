// A network that is slower than ResNet-20 by about as much as an experiment wants, found by measuring.
#pragma once

#include <string>
#include <vector>

#include "agent/fleet/board.h"
#include "kernels/base/network.h"
#include "kernels/base/status.h"

namespace bitpilot {

struct SlowerNetwork {
  Network network;
  std::string block;   // "layer3.1"
  int extra = 0;       // channels
  double ratio = 0.0;  // of its time to ResNet-20's, as it was found
};

// ResNet-20 at 8 bits with random weights and `extra` more channels inside block `block` ("layer3.1").
Network WidenedResNet20(const std::string& block, int extra);

// Of ResNet-20 widened in one of `blocks` by one of `extras`, the network whose time is closest to
// `ratio` of `base`'s, by the medians of three interleaved STANDARDs; prints all of them.
//
// base: ResNet-20 at 8 bits.
//
// Errors: kUnavailable if the board gives no numbers, or Board::Measure()'s.
Result<SlowerNetwork> FindSlowerNetwork(Board& board, const Network& base,
                                        const std::vector<std::string>& blocks,
                                        const std::vector<int>& extras, double ratio);

}  // namespace bitpilot
