// Chooses the kernel of a convolution or fully connected layer by timing the exact ones on it.
#pragma once

#include <string>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/runtime/kernel_choices.h"
#include "kernels/runtime/operation.h"

namespace bitpilot {

// What the time of the layer depends on, with all its output channels at `weight_bits`: the
// instruction set allowed, shapes, widths, and whether it adds a residual.
std::string ConvLayerKey(const OperationContext& context, int weight_bits);

// Two to four rows of the table that may be fastest at these widths, in the table's order: the
// first exact one of each way to multiply (operand and accumulator), of the planes only where
// passes are few enough to have a chance, of the dense ones where the layer has one output pixel.
// At least one.
std::vector<const ConvKernel*> ConvCandidates(Isa limit, int weight_bits, int activation_bits,
                                              std::int64_t output_pixels);

// The fastest of ConvCandidates() on the layer whose channels all have `weight_bits`: the
// remembered one, or else the one that timing finds, which `choices` then remembers. Timing takes
// 0.2 to 5 ms, more where one run takes more; a candidate earlier in the table wins what is within
// 2 %.
//
// REQUIRES: context.memory holds the arena, whose images it overwrites.
const ConvKernel& ChooseConvKernel(const OperationContext& context, int weight_bits,
                                   KernelChoices& choices);

}  // namespace bitpilot
