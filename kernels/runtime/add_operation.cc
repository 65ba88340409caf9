// Element-by-element addition of two stored tensors.
#include <algorithm>

#include "kernels/output/store_scalar.h"
#include "kernels/runtime/operation.h"
#include "kernels/runtime/owned_output_stage.h"

namespace bitpilot {
namespace {

class AddOperation final : public BoundOperation {
 public:
  explicit AddOperation(const OperationContext& context)
      : pool_(context.pool),
        input_(context.input()),
        stage_(MakeOutputStage(context, 0, context.operation().out_channels)) {
    std::fill(stage_.correction.begin(), stage_.correction.end(), -input_.zero_point);
  }

  void Bind(const RunMemory& memory) override {
    input_codes_ = memory.arena + input_.origin_offset();
    output_ = stage_.Bind(memory);
  }

  void Run() override {
    ShareOut(pool_, input_.shape.height, [this](int begin, int end, int) { RunRows(begin, end); });
  }

  std::string kernel_name() const override { return "add_scalar"; }

 private:
  void RunRows(int begin, int end) const {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < input_.shape.width; ++x) {
        const std::uint8_t* input = input_codes_ + y * input_.row_bytes + x * input_.pixel_bytes;
        for (int first = 0; first < output_.channels; first += kBlockChannels) {
          const int count = std::min(kBlockChannels, output_.channels - first);
          std::int32_t acc[kBlockChannels];
          std::copy(input + first, input + first + count, acc);
          StoreBlock(output_, y, x, first, count, acc);
        }
      }
    }
  }

  ThreadPool* pool_;
  TensorLayout input_;
  OwnedOutputStage stage_;
  OutputArgs output_;
  const std::uint8_t* input_codes_ = nullptr;
};

}  // namespace

std::unique_ptr<BoundOperation> MakeAddOperation(const OperationContext& context) {
  return std::make_unique<AddOperation>(context);
}

}  // namespace bitpilot
