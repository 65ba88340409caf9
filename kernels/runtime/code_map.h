// Operations whose output code depends on one input code only (subsampling, maximum pooling), as
// look-up tables.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/runtime/operation.h"

namespace bitpilot {

// Output code of each input code, channel by channel.
class CodeMap {
 public:
  // Output channel o of the operation reads input channel o - channel_offset.
  //
  // REQUIRES: the operation is not the last one.
  CodeMap(const OperationContext& context, int channel_offset);

  // Maps one pixel's input channels.
  void Apply(const std::uint8_t* input, std::uint8_t* output) const {
    const std::uint8_t* table = tables_.data();
    for (int c = 0; c < num_channels_; ++c, table += 256) {
      output[c] = table[input[c]];
    }
  }

 private:
  int num_channels_;
  std::vector<std::uint8_t> tables_;  // [input channels, 256]
};

}  // namespace bitpilot
