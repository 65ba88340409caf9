// The output stage of some consecutive channels of one operation, ready to be bound to memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/operation.h"
#include "kernels/output_args.h"

namespace bitpilot {

// Owns the arrays that OutputArgs points to.
struct OwnedOutputStage {
  std::vector<std::int32_t>
      correction;  // Zeros; padded to whole blocks of channels, like the next two.
  std::vector<float> scale;
  std::vector<float> bias;
  OutputArgs args;  // Without pointers.
  int first_channel = 0;
  bool writes_logits = false;
  bool has_residual = false;
  std::size_t output_offset = 0;  // Of pixel (0, 0), in the arena.
  std::size_t residual_offset = 0;

  // Arguments with pointers into this object and `memory`.
  OutputArgs Bind(const RunMemory& memory) const;
};

// Channels [first, first + count) of the context's operation.
OwnedOutputStage MakeOutputStage(const OperationContext& context, int first, int count);

}  // namespace bitpilot
