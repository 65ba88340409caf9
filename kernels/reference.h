// The reference: the definition of a right answer for a whole network. Plain loops over the
// equations of kernels/base/network.h and kernels/output/requantize.h, written to be read; never
// optimize them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/base/network.h"

namespace bitpilot {

// Every tensor of one inference: codes of each stored tensor [H, W, C], and the logits.
struct ReferenceTrace {
  std::vector<std::vector<std::uint8_t>> tensors;  // [num_stored_tensors]
  std::vector<float> logits;                       // [num_classes]
};

// pixels: [C, H, W] unsigned bytes.
//
// REQUIRES: ValidateNetwork(network).ok(); pixels.size() == network.input_bytes().
ReferenceTrace TraceReference(const Network& network, std::span<const std::uint8_t> pixels);

// The logits only.
std::vector<float> RunReference(const Network& network, std::span<const std::uint8_t> pixels);

}  // namespace bitpilot
