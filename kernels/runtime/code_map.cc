#include "kernels/runtime/code_map.h"

#include "kernels/output/requantize.h"

namespace bitpilot {

CodeMap::CodeMap(const OperationContext& context, int channel_offset)
    : num_channels_(context.input().shape.channels),
      tables_(static_cast<std::size_t>(num_channels_) * 256) {
  const OutputStage& stage = context.numbers().output;
  const int input_zero_point = context.input().zero_point;
  for (int c = 0; c < num_channels_; ++c) {
    const auto out = static_cast<std::size_t>(c + channel_offset);
    for (int code = 0; code < 256; ++code) {
      const float t = Rescale(code - input_zero_point, stage.scale[out], stage.bias[out]);
      const std::uint8_t mapped =
          ToCode(t, context.output().zero_point, stage.code_min, stage.code_max);
      tables_[static_cast<std::size_t>(c) * 256 + static_cast<std::size_t>(code)] = mapped;
    }
  }
}

}  // namespace bitpilot
