// Convolutions and fully connected layers.
#include <algorithm>
#include <utility>

#include "kernels/conv.h"
#include "kernels/conv_input.h"
#include "kernels/conv_plan.h"
#include "kernels/conv_tuner.h"
#include "kernels/elementwise.h"
#include "kernels/operation.h"

namespace bitpilot {
namespace {

// Weights of a layer that stay in the first cache level while bands of rows pass by.
constexpr std::int64_t kCachedWeightBytes = 24 * 1024;
constexpr int kBandPixels = 384;

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
      : input_(context.input()),
        output_height_(context.output_shape().height),
        pieces_(PlanConvPieces(context, weights, choose)),
        converted_(input_, AsConvolution(context.operation(), input_.shape), pieces_,
                   SelectElementwiseKernels(context.isa)) {}

  std::size_t scratch_bytes() const override { return converted_.scratch_bytes(); }

  std::int64_t weight_bytes() const override {
    std::int64_t total = 0;
    for (const ConvPiece& piece : pieces_) {
      total += static_cast<std::int64_t>(piece.weights.size());
    }
    return total;
  }

  void Bind(const RunMemory& memory) override {
    converted_.Bind(memory.arena + input_.arena_offset, memory.scratch);
    calls_.clear();
    for (const ConvPiece& piece : pieces_) {
      ConvArgs whole = piece.args;
      converted_.SetPointers(piece, &whole);
      for (const ConvRegion& region : piece.regions) {
        AddCalls(piece.kernel->run, piece.Bind(whole, memory, region), region);
      }
    }
    std::stable_sort(calls_.begin(), calls_.end(),
                     [](const Call& a, const Call& b) { return a.row_begin < b.row_begin; });
  }

  void Run() override {
    converted_.Convert();
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

  // Rows after which the next block of channels has its turn: bands where all weights stay cached,
  // so that the input and output rows do too; otherwise the whole image, so that one block's
  // weights do.
  int BandRows(int width) const {
    return weight_bytes() > kCachedWeightBytes ? output_height_ : std::max(1, kBandPixels / width);
  }

  TensorLayout input_;
  int output_height_;
  std::vector<ConvPiece> pieces_;
  ConvInput converted_;
  std::vector<Call> calls_;  // Of all pieces, from the first row down.
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
