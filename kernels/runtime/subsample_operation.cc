// Option-A shortcuts: every stride-th pixel, with zero channels added in front and behind.
#include <cstring>

#include "kernels/output/requantize.h"
#include "kernels/output/store_scalar.h"
#include "kernels/runtime/code_map.h"
#include "kernels/runtime/operation.h"
#include "kernels/runtime/owned_output_stage.h"

namespace bitpilot {
namespace {

class SubsampleOperation final : public BoundOperation {
 public:
  explicit SubsampleOperation(const OperationContext& context)
      : pool_(context.pool),
        operation_(context.operation()),
        input_(context.input()),
        output_(context.output()),
        map_(context, operation_.pad_channels_before) {
    const OutputStage& stage = context.numbers().output;
    for (std::size_t o = 0; o < stage.bias.size(); ++o) {
      const float t = Rescale(0, stage.scale[o], stage.bias[o]);
      padding_codes_.push_back(ToCode(t, output_.zero_point, stage.code_min, stage.code_max));
    }
  }

  void Bind(const RunMemory& memory) override {
    input_codes_ = memory.arena + input_.origin_offset();
    output_codes_ = memory.arena + output_.origin_offset();
  }

  void Run() override {
    ShareOut(pool_, output_.shape.height, [this](int begin, int end, int) { RunRows(begin, end); });
  }

  std::string kernel_name() const override { return "subsample_lookup"; }

 private:
  void RunRows(int begin, int end) const {
    for (int y = begin; y < end; ++y) {
      const std::uint8_t* input = input_codes_ + y * operation_.stride_h * input_.row_bytes;
      std::uint8_t* output = output_codes_ + y * output_.row_bytes;
      for (int x = 0; x < output_.shape.width; ++x) {
        std::memcpy(output, padding_codes_.data(), padding_codes_.size());
        map_.Apply(input, output + operation_.pad_channels_before);
        input += operation_.stride_w * input_.pixel_bytes;
        output += output_.pixel_bytes;
      }
    }
  }

  ThreadPool* pool_;
  Operation operation_;
  TensorLayout input_;
  TensorLayout output_;
  CodeMap map_;
  std::vector<std::uint8_t> padding_codes_;  // [output channels]: codes of zero.
  const std::uint8_t* input_codes_ = nullptr;
  std::uint8_t* output_codes_ = nullptr;
};

// As the network's last operation: one pixel of logits.
class SubsampleLogits final : public BoundOperation {
 public:
  explicit SubsampleLogits(const OperationContext& context)
      : channels_before_(context.operation().pad_channels_before),
        input_(context.input()),
        stage_(MakeOutputStage(context, 0, context.operation().out_channels)),
        acc_(stage_.scale.size()) {}

  void Bind(const RunMemory& memory) override {
    input_codes_ = memory.arena + input_.origin_offset();
    output_ = stage_.Bind(memory);
  }

  void Run() override {
    for (int c = 0; c < input_.shape.channels; ++c) {
      acc_[static_cast<std::size_t>(c + channels_before_)] = input_codes_[c] - input_.zero_point;
    }
    StoreBlock(output_, 0, 0, 0, output_.channels, acc_.data());
  }

  std::string kernel_name() const override { return "subsample_scalar"; }

 private:
  int channels_before_;
  TensorLayout input_;
  OwnedOutputStage stage_;
  std::vector<std::int32_t> acc_;  // [channels]; zero where channels are added
  OutputArgs output_;
  const std::uint8_t* input_codes_ = nullptr;
};

}  // namespace

std::unique_ptr<BoundOperation> MakeSubsampleOperation(const OperationContext& context) {
  if (context.is_last()) {
    return std::make_unique<SubsampleLogits>(context);
  }
  return std::make_unique<SubsampleOperation>(context);
}

}  // namespace bitpilot
