// Convolutions and fully connected layers.
#include <algorithm>
#include <utility>

#include "kernels/conv.h"
#include "kernels/conv_packing.h"
#include "kernels/conv_plan.h"
#include "kernels/conv_tuner.h"
#include "kernels/elementwise.h"
#include "kernels/operation.h"

namespace bitpilot {
namespace {

// Weights of a layer that stay in the first cache level while bands of rows pass by.
constexpr std::int64_t kCachedWeightBytes = 24 * 1024;
constexpr int kBandPixels = 192;

// Elements of a window.
std::ptrdiff_t WindowDepth(const OperationContext& context) {
  const Operation operation = AsConvolution(context.operation(), context.input().shape);
  return static_cast<std::ptrdiff_t>(operation.kernel_h) * operation.kernel_w *
         (context.input().shape.channels / operation.groups);
}

class ConvOperation final : public BoundOperation {
 public:
  ConvOperation(const OperationContext& context, const LayerWeights& weights,
                const ConvChoice& choose)
      : operation_(AsConvolution(context.operation(), context.input().shape)),
        input_(context.input()),
        output_height_(context.output_shape().height),
        pieces_(PlanConvPieces(context, weights, choose)),
        elementwise_(&SelectElementwiseKernels(context.isa)) {
    reads_words_ = std::any_of(pieces_.begin(), pieces_.end(), [](const ConvPiece& piece) {
      return piece.kernel->operand == ConvOperand::kWords;
    });
    for (const ConvPiece& piece : pieces_) {
      num_planes_ = std::max(num_planes_, piece.args.input_planes);
    }
  }

  std::size_t scratch_bytes() const override {
    return WordBytes() + static_cast<std::size_t>(num_planes_ * InputPlaneBytes(input_));
  }

  std::int64_t weight_bytes() const override {
    std::int64_t total = 0;
    for (const ConvPiece& piece : pieces_) {
      total += static_cast<std::int64_t>(piece.weights.size());
    }
    return total;
  }

  void Bind(const RunMemory& memory) override {
    input_bytes_ = memory.arena + input_.arena_offset;
    input_words_ = reinterpret_cast<std::int16_t*>(memory.scratch);
    input_planes_ = memory.scratch + WordBytes();
    const std::ptrdiff_t window =
        static_cast<std::ptrdiff_t>(input_.origin_offset() - input_.arena_offset) -
        operation_.padding.top * input_.row_bytes - operation_.padding.left * input_.pixel_bytes;
    calls_.clear();
    for (const ConvPiece& piece : pieces_) {
      const std::uint8_t* input = input_bytes_ + window;
      if (IsPlanes(piece.kernel->operand)) {
        input = input_planes_ + window / input_.pixel_bytes * PlanePixelBytes(input_.pixel_bytes);
      } else if (piece.kernel->operand == ConvOperand::kWords) {
        input = memory.scratch + 2 * window;
      }
      for (const ConvRegion& region : piece.regions) {
        AddCalls(piece.kernel->run, piece.Bind(memory, input, region), region);
      }
    }
    std::stable_sort(calls_.begin(), calls_.end(),
                     [](const Call& a, const Call& b) { return a.row_begin < b.row_begin; });
  }

  void Run() override {
    if (reads_words_) {
      elementwise_->widen_codes(input_bytes_, input_.total_bytes(), input_words_);
    }
    if (num_planes_ > 0) {
      elementwise_->pack_planes(
          input_bytes_, static_cast<std::ptrdiff_t>(input_.total_bytes()) / input_.pixel_bytes,
          input_.pixel_bytes, num_planes_, input_planes_, InputPlaneBytes(input_));
    }
    for (const Call& call : calls_) {
      call.run(call.args, call.row_begin, call.row_end);
    }
  }

  std::string kernel_name() const override {
    std::vector<std::string_view> names;
    for (const ConvPiece& piece : pieces_) {
      names.push_back(piece.kernel->name);
    }
    return JoinKernelNames(names);
  }

 private:
  // Output rows of one region that a kernel computes at once.
  struct Call {
    ConvFn run;
    ConvArgs args;
    int row_begin;
    int row_end;
  };

  void AddCalls(ConvFn run, const ConvArgs& args, const ConvRegion& region) {
    const int rows = BandRows(args.output.width);
    for (int row = region.row_begin; row < region.row_end; row += rows) {
      calls_.push_back({run, args, row, std::min(row + rows, region.row_end)});
    }
  }

  // Of the input widened to int16, at the scratch memory's begin.
  std::size_t WordBytes() const {
    return reads_words_ ? 2 * (input_.total_bytes() + kTensorSlackBytes) : 0;
  }

  // Rows after which the next block of channels has its turn: bands where all weights stay cached,
  // so that the input and output rows do too; otherwise the whole image, so that one block's
  // weights do.
  int BandRows(int width) const {
    return weight_bytes() > kCachedWeightBytes ? output_height_ : std::max(1, kBandPixels / width);
  }

  Operation operation_;
  TensorLayout input_;
  int output_height_;
  std::vector<ConvPiece> pieces_;
  std::vector<Call> calls_;  // Of all pieces, from the first row down.
  bool reads_words_ = false;
  int num_planes_ = 0;  // 0: no kernel reads planes.
  const ElementwiseKernels* elementwise_;
  const std::uint8_t* input_bytes_ = nullptr;
  std::int16_t* input_words_ = nullptr;
  std::uint8_t* input_planes_ = nullptr;
};

}  // namespace

std::unique_ptr<BoundOperation> MakeConvOperation(const OperationContext& context,
                                                  const LayerWeights& weights,
                                                  const ConvChoice& choose) {
  return std::make_unique<ConvOperation>(context, weights, choose);
}

std::unique_ptr<BoundOperation> MakeConvOperation(const OperationContext& context) {
  const auto choose = [&context](int weight_bits) -> const ConvKernel& {
    if (context.choices != nullptr) return ChooseConvKernel(context, weight_bits, *context.choices);
    return SelectConvKernel(context.isa, weight_bits, context.input_bits(), WindowDepth(context),
                            OutputPixels(context));
  };
  return MakeConvOperation(context, context.numbers().weights, choose);
}

}  // namespace bitpilot
