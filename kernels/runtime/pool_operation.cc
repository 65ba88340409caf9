// Average and maximum pooling.
#include <algorithm>
#include <span>

#include "kernels/elementwise/elementwise.h"
#include "kernels/output/store_scalar.h"
#include "kernels/runtime/operation.h"
#include "kernels/runtime/owned_output_stage.h"

namespace bitpilot {
namespace {

// Sums codes; the halo's zero points count as zeros, as padding must.
class AveragePoolOperation final : public BoundOperation {
 public:
  explicit AveragePoolOperation(const OperationContext& context)
      : pool_(context.pool),
        num_threads_(context.num_threads()),
        operation_(context.operation()),
        input_(context.input()),
        output_height_(context.output_shape().height),
        stage_(MakeOutputStage(context, 0, operation_.out_channels)),
        sums_bytes_(
            RoundUp(stage_.correction.size() * sizeof(std::int32_t), AlignedBuffer::kAlignment)),
        elementwise_(&SelectElementwiseKernels(context.isa)) {
    std::fill(stage_.correction.begin(), stage_.correction.end(),
              -input_.zero_point * operation_.kernel_h * operation_.kernel_w);
  }

  std::size_t scratch_bytes() const override {
    return sums_bytes_ * static_cast<std::size_t>(num_threads_);
  }

  void Bind(const RunMemory& memory) override {
    scratch_ = memory.scratch;
    window_ = memory.arena + input_.origin_offset() - operation_.padding.top * input_.row_bytes -
              operation_.padding.left * input_.pixel_bytes;
    output_ = stage_.Bind(memory);
  }

  void Run() override {
    ShareOut(pool_, output_height_,
             [this](int begin, int end, int thread) { RunRows(begin, end, SumsOf(thread)); });
  }

  std::string kernel_name() const override {
    return "average_pool_" + std::string(elementwise_->suffix);
  }

 private:
  // [channels, padded]
  std::span<std::int32_t> SumsOf(int thread) const {
    std::uint8_t* sums = scratch_ + static_cast<std::size_t>(thread) * sums_bytes_;
    return {reinterpret_cast<std::int32_t*>(sums), stage_.correction.size()};
  }

  void RunRows(int begin, int end, std::span<std::int32_t> sums) const {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < output_.width; ++x) {
        SumWindow(window_ + y * operation_.stride_h * input_.row_bytes +
                      x * operation_.stride_w * input_.pixel_bytes,
                  sums);
        StoreBlock(output_, y, x, 0, output_.channels, sums.data());
      }
    }
  }

  void SumWindow(const std::uint8_t* window, std::span<std::int32_t> sums) const {
    std::fill(sums.begin(), sums.end(), 0);
    for (int y = 0; y < operation_.kernel_h; ++y) {
      elementwise_->sum_pixels(window + y * input_.row_bytes, operation_.kernel_w,
                               input_.pixel_bytes, output_.channels, sums.data());
    }
  }

  ThreadPool* pool_;
  int num_threads_;
  Operation operation_;
  TensorLayout input_;
  int output_height_;
  OwnedOutputStage stage_;
  std::size_t sums_bytes_;  // Of one thread, in the scratch memory.
  const ElementwiseKernels* elementwise_;
  OutputArgs output_;
  const std::uint8_t* window_ = nullptr;
  std::uint8_t* scratch_ = nullptr;
};

// Clips windows to the image, then rescales the largest codes, a row at a time.
class MaxPoolOperation final : public BoundOperation {
 public:
  explicit MaxPoolOperation(const OperationContext& context)
      : pool_(context.pool),
        num_threads_(context.num_threads()),
        operation_(context.operation()),
        input_(context.input()),
        output_shape_(context.output_shape()),
        row_bytes_(RoundUp(
            static_cast<std::size_t>(input_.pixel_bytes * output_shape_.width) + kTensorSlackBytes,
            AlignedBuffer::kAlignment)),
        stage_(MakeOutputStage(context, 0, operation_.out_channels)),
        elementwise_(&SelectElementwiseKernels(context.isa)) {
    std::fill(stage_.correction.begin(), stage_.correction.end(), -input_.zero_point);
  }

  std::size_t scratch_bytes() const override {
    return row_bytes_ * static_cast<std::size_t>(num_threads_);
  }

  void Bind(const RunMemory& memory) override {
    scratch_ = memory.scratch;
    input_codes_ = memory.arena + input_.origin_offset();
    output_ = stage_.Bind(memory);
  }

  void Run() override {
    ShareOut(pool_, output_shape_.height, [this](int begin, int end, int thread) {
      RunRows(begin, end, scratch_ + static_cast<std::size_t>(thread) * row_bytes_);
    });
  }

  std::string kernel_name() const override {
    return "max_pool_" + std::string(elementwise_->suffix);
  }

 private:
  // largest: the pixels of a row, and room behind.
  void RunRows(int begin, int end, std::uint8_t* largest) const {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < output_shape_.width;) {
        const PoolWindows windows = WindowsFrom(y, x);
        elementwise_->max_windows(windows, output_shape_.channels,
                                  largest + x * input_.pixel_bytes);
        x += windows.count;
      }
      StoreRow(y, largest);
    }
  }

  // Those of outputs (y, x), (y, x + 1) and so on that are clipped alike.
  PoolWindows WindowsFrom(int y, int x) const {
    const int stride = operation_.stride_w;
    const int width = operation_.kernel_w;
    const int top = y * operation_.stride_h - operation_.padding.top;
    const int left = x * stride - operation_.padding.left;
    const int first_y = std::max(top, 0);
    const int first_x = std::max(left, 0);
    PoolWindows windows;
    windows.codes = input_codes_ + first_y * input_.row_bytes + first_x * input_.pixel_bytes;
    windows.distance_bytes = stride * input_.pixel_bytes;
    windows.height = std::min(top + operation_.kernel_h, input_.shape.height) - first_y;
    windows.width = std::min(left + width, input_.shape.width) - first_x;
    windows.row_bytes = input_.row_bytes;
    windows.pixel_bytes = input_.pixel_bytes;
    windows.count = 1;
    if (windows.width == width) {
      windows.count =
          std::min((input_.shape.width - width - left) / stride + 1, output_shape_.width - x);
    }
    return windows;
  }

  void StoreRow(int y, const std::uint8_t* largest) const {
    if (output_.logits == nullptr) {
      elementwise_->rescale_codes(largest, output_shape_.width, input_.pixel_bytes, output_,
                                  output_.codes + y * output_.row_bytes);
      return;
    }
    for (int c = 0; c < output_shape_.channels; ++c) {
      const std::int32_t acc = largest[c];
      StoreBlock(output_, 0, 0, c, 1, &acc);
    }
  }

  ThreadPool* pool_;
  int num_threads_;
  Operation operation_;
  TensorLayout input_;
  TensorShape output_shape_;
  std::size_t row_bytes_;  // Of one thread, in the scratch memory.
  OwnedOutputStage stage_;
  const ElementwiseKernels* elementwise_;
  OutputArgs output_;
  const std::uint8_t* input_codes_ = nullptr;
  std::uint8_t* scratch_ = nullptr;
};

}  // namespace

std::unique_ptr<BoundOperation> MakePoolOperation(const OperationContext& context) {
  if (context.operation().kind == OperationKind::kAveragePool) {
    return std::make_unique<AveragePoolOperation>(context);
  }
  return std::make_unique<MaxPoolOperation>(context);
}

}  // namespace bitpilot
