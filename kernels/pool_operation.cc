// Average and maximum pooling.
#include <algorithm>

#include "kernels/elementwise.h"
#include "kernels/operation.h"
#include "kernels/owned_output_stage.h"
#include "kernels/store_scalar.h"

namespace bitpilot {
namespace {

// Sums codes; the halo's zero points count as zeros, as padding must.
class AveragePoolOperation final : public BoundOperation {
 public:
  explicit AveragePoolOperation(const OperationContext& context)
      : operation_(context.operation()),
        input_(context.input()),
        output_height_(context.output_shape().height),
        stage_(MakeOutputStage(context, 0, operation_.out_channels)),
        acc_(stage_.correction.size()),
        elementwise_(&SelectElementwiseKernels(context.isa)) {
    std::fill(stage_.correction.begin(), stage_.correction.end(),
              -input_.zero_point * operation_.kernel_h * operation_.kernel_w);
  }

  void Bind(const RunMemory& memory) override {
    window_ = memory.arena + input_.origin_offset() - operation_.padding.top * input_.row_bytes -
              operation_.padding.left * input_.pixel_bytes;
    output_ = stage_.Bind(memory);
  }

  void Run() override {
    for (int y = 0; y < output_height_; ++y) {
      for (int x = 0; x < output_.width; ++x) {
        SumWindow(window_ + y * operation_.stride_h * input_.row_bytes +
                  x * operation_.stride_w * input_.pixel_bytes);
        StoreBlock(output_, y, x, 0, output_.channels, acc_.data());
      }
    }
  }

  std::string kernel_name() const override {
    return "average_pool_" + std::string(elementwise_->suffix);
  }

 private:
  void SumWindow(const std::uint8_t* window) {
    std::fill(acc_.begin(), acc_.end(), 0);
    for (int y = 0; y < operation_.kernel_h; ++y) {
      elementwise_->sum_pixels(window + y * input_.row_bytes, operation_.kernel_w,
                               input_.pixel_bytes, output_.channels, acc_.data());
    }
  }

  Operation operation_;
  TensorLayout input_;
  int output_height_;
  OwnedOutputStage stage_;
  std::vector<std::int32_t> acc_;  // [channels, padded]
  const ElementwiseKernels* elementwise_;
  OutputArgs output_;
  const std::uint8_t* window_ = nullptr;
};

// Clips windows to the image, then rescales the largest codes.
class MaxPoolOperation final : public BoundOperation {
 public:
  explicit MaxPoolOperation(const OperationContext& context)
      : operation_(context.operation()),
        input_(context.input()),
        output_shape_(context.output_shape()),
        largest_(static_cast<std::size_t>(input_.pixel_bytes) + kTensorSlackBytes),
        stage_(MakeOutputStage(context, 0, operation_.out_channels)),
        elementwise_(&SelectElementwiseKernels(context.isa)) {
    std::fill(stage_.correction.begin(), stage_.correction.end(), -input_.zero_point);
  }

  void Bind(const RunMemory& memory) override {
    input_codes_ = memory.arena + input_.origin_offset();
    output_ = stage_.Bind(memory);
  }

  void Run() override {
    for (int y = 0; y < output_shape_.height; ++y) {
      for (int x = 0; x < output_shape_.width; ++x) {
        FindLargest(y * operation_.stride_h - operation_.padding.top,
                    x * operation_.stride_w - operation_.padding.left);
        Store(y, x);
      }
    }
  }

  std::string kernel_name() const override {
    return "max_pool_" + std::string(elementwise_->suffix);
  }

 private:
  // Largest codes of the window whose first pixel is (top, left).
  void FindLargest(int top, int left) {
    const int first_y = std::max(top, 0);
    const int first_x = std::max(left, 0);
    elementwise_->max_window(
        input_codes_ + first_y * input_.row_bytes + first_x * input_.pixel_bytes,
        std::min(top + operation_.kernel_h, input_.shape.height) - first_y, input_.row_bytes,
        std::min(left + operation_.kernel_w, input_.shape.width) - first_x, input_.pixel_bytes,
        output_shape_.channels, largest_.data());
  }

  void Store(int y, int x) {
    if (output_.logits == nullptr) {
      elementwise_->rescale_codes(largest_.data(), output_,
                                  output_.codes + y * output_.row_bytes + x * output_.pixel_bytes);
      return;
    }
    for (int c = 0; c < output_shape_.channels; ++c) {
      const std::int32_t acc = largest_[static_cast<std::size_t>(c)];
      StoreBlock(output_, 0, 0, c, 1, &acc);
    }
  }

  Operation operation_;
  TensorLayout input_;
  TensorShape output_shape_;
  std::vector<std::uint8_t> largest_;  // [channels], and room behind
  OwnedOutputStage stage_;
  const ElementwiseKernels* elementwise_;
  OutputArgs output_;
  const std::uint8_t* input_codes_ = nullptr;
};

}  // namespace

std::unique_ptr<BoundOperation> MakePoolOperation(const OperationContext& context) {
  if (context.operation().kind == OperationKind::kAveragePool) {
    return std::make_unique<AveragePoolOperation>(context);
  }
  return std::make_unique<MaxPoolOperation>(context);
}

}  // namespace bitpilot
