// Which part of the filter each output pixel of a convolution needs.
//
// A window at the image's edge lies partly in the halo. Where the halo holds zeros, that part of
// the filter adds nothing and is left out: a third of the filter in the border rows and columns of
// a 3x3 layer, 16 % of all products on an 8x8 image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/base/topology.h"
#include "kernels/conv/conv.h"
#include "kernels/conv/conv_format.h"

namespace bitpilot {

// Output pixels [row_begin, row_end) x [column_begin, column_end) that need the same part of the
// filter, and that part.
struct ConvRegion {
  int row_begin = 0;
  int row_end = 0;
  int column_begin = 0;
  int column_end = 0;
  std::vector<DepthRun> runs;
  std::ptrdiff_t weight_offset = 0;  // Bytes of each block (plane) in front of the part's weights.
  std::vector<std::uint8_t> begins = {};  // ConvFormat::begins
  FilterPart part = {};                   // Empty: the whole filter.
  // Instead of the output stage's, where the part's sums need another one; [channels, padded].
  std::vector<std::int32_t> correction = {};
};

// The whole output as one region that takes the whole filter.
ConvRegion WholeRegion(const TensorShape& output, std::vector<DepthRun> runs);

// Splits `whole`: border rows leave out filter rows; border columns of the other rows leave out
// filter columns, if the kernel skips weights.
//
// convolution: strides and padding.   weight_bytes: of a block, or a block's plane.
// period: ConvFormat::widen_period.
//
// REQUIRES: the input's zero point is 0 (and codes less something, ConvInputForm::code_offset, get corrections of their own
// for each region); window.all_channels; kernel.format->splits_filter.
std::vector<ConvRegion> SplitByHalo(const ConvKernel& kernel, const Operation& convolution,
                                    const TensorShape& input, const ConvWindow& window,
                                    std::ptrdiff_t weight_bytes, int period,
                                    const ConvRegion& whole);

}  // namespace bitpilot
