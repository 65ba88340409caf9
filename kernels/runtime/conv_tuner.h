// Chooses the kernel of a convolution or fully connected layer by timing the exact ones on it.
#pragma once

#include <string>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/runtime/kernel_choices.h"
#include "kernels/runtime/operation.h"

namespace bitpilot {

// Everything that a plan of the layer, with all its output channels at `weight_bits`, is made from
// and that its time depends on: the instruction set allowed, shapes, strides and padding, the
// layout and zero point of the input, widths, how sums become codes, and the number of threads.
std::string ConvLayerKey(const OperationContext& context, int weight_bits);

// Two to four rows of the table that may be fastest at these widths, in the table's order: the
// first exact one of each way to multiply (ConvFormat::way), of the planes only where passes are few
// enough to have a chance, of the dense ones where the layer has one output pixel.
// At least one.
std::vector<const ConvKernel*> ConvCandidates(Isa limit, int weight_bits, int activation_bits,
                                              std::int64_t output_pixels);

// The fastest of ConvCandidates() on the layer whose channels all have `weight_bits`: the
// remembered one, if this lease may use it as it is (KernelChoices::IsSettled()), or else the one
// that timing finds (FindFastest(), fastest_candidate.h; the remembered one is preferred), which
// `choices` then remembers. Timing is of the thread's CPU time, or of wall time where several
// threads share the work, and takes 0.2 to 5 ms, more where one run takes more.
//
// REQUIRES: context.memory holds the arena, whose images it overwrites.
const ConvKernel& ChooseConvKernel(const OperationContext& context, int weight_bits,
                                   KernelChoices& choices);

}  // namespace bitpilot
