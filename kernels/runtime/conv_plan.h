// Splits a convolution into pieces, each with the cheapest exact kernel for its channels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/conv/conv.h"
#include "kernels/runtime/conv_regions.h"
#include "kernels/runtime/operation.h"
#include "kernels/runtime/owned_output_stage.h"
#include "kernels/runtime/tensor_layout.h"

namespace bitpilot {

// Consecutive output channels of one channel group that share a kernel. Owns what `args` will point
// to.
struct ConvPiece {
  const ConvKernel* kernel = nullptr;
  ConvWindow window;
  // Of the whole output, without pointers and runs, which Bind() sets.
  ConvArgs args;
  std::vector<ConvRegion> regions;  // Cover the output.
  AlignedBuffer weights;
  OwnedOutputStage stage;
  std::ptrdiff_t weight_group_bytes = 0;     // Of ConvFormat::group_blocks blocks.
  std::ptrdiff_t parity_distance_bytes = 0;  // PackedConv's; all pieces of a layer with any agree.
  bool reads_window_sums = false;            // ConvArgs::window_sums.

  // Arguments for one of `regions`, with pointers into this piece and `memory`, from those for the
  // whole output with pointers to the input. Rows count from the output's first.
  ConvArgs Bind(ConvArgs whole, const RunMemory& memory, const ConvRegion& region) const;
};

// `operation` as a convolution: a fully connected layer's filter covers the whole image.
Operation AsConvolution(const Operation& operation, const TensorShape& input);

// Of one channel of the output.
std::int64_t OutputPixels(const OperationContext& context);

// The operation's input for ConvInputForm, without pointer.
InputCodes DescribeInput(const OperationContext& context);

// `weights` in pieces, in channel order. A block of 16 channels takes the kernel of its widest
// channel.
std::vector<ConvPiece> PlanConvPieces(const OperationContext& context, const LayerWeights& weights,
                                      const ConvChoice& choose);

}  // namespace bitpilot
