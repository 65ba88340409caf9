// The output stage of some consecutive channels of one operation, ready to be bound to memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/output/code_thresholds.h"
#include "kernels/output/output_args.h"
#include "kernels/runtime/operation.h"

namespace bitpilot {

// Owns the arrays that OutputArgs points to.
struct OwnedOutputStage {
  std::vector<std::int32_t>
      correction;  // Zeros; padded to whole blocks of channels, like the next two.
  std::vector<float> scale;
  std::vector<float> bias;
  CodeThresholds thresholds;
  OutputArgs args;  // Without pointers.
  int first_channel = 0;
  std::int64_t largest_sum = 0;  // Magnitude of an accumulator, at most.
  bool writes_logits = false;
  bool has_residual = false;
  std::size_t output_offset = 0;  // Of pixel (0, 0), in the arena.
  std::size_t residual_offset = 0;

  // Arguments with pointers into this object and `memory`.
  OutputArgs Bind(const RunMemory& memory) const;
};

// `count` of the channels from `first` on: those of a bound stage's arguments.
//
// REQUIRES: first is a multiple of kBlockChannels.
OutputArgs OfChannels(OutputArgs output, int first, int count);

// True if t (kernels/output/requantize.h) stays far inside the range of an int32 for every
// accumulator, the correction included, of magnitude up to `largest_sum`. Reads the arrays that
// `args` points to, padding included.
bool StaysInInt32(const OutputArgs& args, std::int64_t largest_sum);

// Channels [first, first + count) of the context's operation.
OwnedOutputStage MakeOutputStage(const OperationContext& context, int first, int count);

}  // namespace bitpilot
