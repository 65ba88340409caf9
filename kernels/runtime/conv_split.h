// How the work of a convolution or fully connected layer is shared out among threads. Of a depthwise
// one, whose filters read their own channel only, units of 64 channels stand for the blocks.
#pragma once

#include <cstdint>

#include "kernels/runtime/thread_pool.h"

namespace bitpilot {

// By rows, each thread reads all weights and, but for the halo, its own part of the input; by blocks
// of 16 output channels, its own weights and the whole input.
struct ConvSplit {
  enum class Axis { kRows, kBlocks };
  Axis axis = Axis::kRows;
  int num_parts = 1;  // At most one a thread; fewer where there is less to share.
  int rows = 0;       // Of the output.
  int blocks = 0;
  int unit = 1;  // Blocks that stay together, but for the last.

  // Of part `index`.
  Share Rows(int index) const;
  Share Blocks(int index) const;
};

struct ConvWork {
  int rows = 1;  // Of the output.
  int blocks = 1;
  int group_blocks = 1;  // That stay together (ConvFormat::group_blocks).
  std::int64_t weight_bytes = 0;
};

// By rows, unless these are so few that a thread would have clearly more than its share, or the
// weights do not stay in a core's second cache level, so that each had better have its own. Blocks
// stay in pairs, which kernels compute together, where there are enough.
//
// REQUIRES: num_threads >= 1.
ConvSplit PlanConvSplit(const ConvWork& work, int num_threads);

}  // namespace bitpilot
