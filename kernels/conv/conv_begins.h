// What 16-bit sums of products begin at, so that twice as many steps fit them.
//
// Codes of `a` bits are 0 .. 2^a - 1, so products with their distance from the middle, 2^(a - 1),
// are half as large. A group of steps between two widenings sums the codes as they are, modulo
// 2^16, but begins at minus the middle times the sum of its weights: it ends with the sum of the
// distances' products, which fits. What the groups began at is added to the 32-bit sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/conv/conv.h"

namespace bitpilot {

// Of runs and weights (kernels/conv/format_bytes.cc) of `num_blocks` blocks, weight_block_bytes apart:
// [block][1 + groups][kStepBytes], first what is added to the sums, [16 channels] int32, then what
// each group begins at, [16 channels][2] int16. Empty if all steps fit 16 bits from zero.
//
// runs: ended by a run of 0 steps.
std::vector<std::uint8_t> PackBegins(std::span<const DepthRun> runs, const std::uint8_t* weights,
                                     std::ptrdiff_t weight_block_bytes, int num_blocks,
                                     int weight_bits, int activation_bits);

}  // namespace bitpilot
