// Convolutions and fully connected layers.
#include <algorithm>
#include <array>
#include <utility>

#include "kernels/conv/conv.h"
#include "kernels/conv/conv_format.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/runtime/conv_input.h"
#include "kernels/runtime/conv_plan.h"
#include "kernels/runtime/conv_split.h"
#include "kernels/runtime/conv_tuner.h"
#include "kernels/runtime/operation.h"

namespace bitpilot {
namespace {

// Weights of a layer that stay in the first cache level while bands of rows pass by.
constexpr std::int64_t kCachedWeightBytes = 24 * 1024;

// Channels of a call where weights are more: no kernel's tiles take more blocks at once, and 512
// inputs' 3x3 filters for them stay in the second cache level while the regions pass by.
constexpr int kSliceChannels = 32;

// `count` of the piece's channels from `first` on, a whole number of groups of blocks unless they are
// the last.
ConvArgs OfChannels(const ConvPiece& piece, ConvArgs args, int first, int count) {
  args.weights +=
      first / kBlockChannels / piece.kernel->format->group_blocks * piece.weight_group_bytes;
  if (args.begins != nullptr) args.begins += first / kBlockChannels * args.begin_block_bytes;
  args.output = OfChannels(args.output, first, count);
  return args;
}

// Elements of a window.
std::ptrdiff_t WindowDepth(const OperationContext& context) {
  const Operation operation = AsConvolution(context.operation(), context.input().shape);
  return static_cast<std::ptrdiff_t>(operation.kernel_h) * operation.kernel_w *
         (context.input().shape.channels / operation.groups);
}

// A column as a row of pixels that lie a row apart: kernels fill their tiles along rows.
ConvArgs ColumnAsRow(ConvArgs args, int row_begin, int row_end) {
  OutputArgs& output = args.output;
  args.input += row_begin * args.input_row_bytes;
  args.input_pixel_bytes = args.input_row_bytes;
  if (args.window_sums != nullptr) {
    args.window_sums += row_begin * args.window_sums_row_bytes;
    args.window_sums_pixel_bytes = args.window_sums_row_bytes;
  }
  output.width = row_end - row_begin;
  output.codes += row_begin * output.row_bytes;
  output.pixel_bytes = output.row_bytes;
  if (output.residual != nullptr) {
    output.residual += row_begin * output.residual_row_bytes;
    output.residual_pixel_bytes = output.residual_row_bytes;
  }
  return args;
}

class ConvOperation final : public BoundOperation {
 public:
  ConvOperation(const OperationContext& context, const LayerWeights& weights,
                const ConvChoice& choose)
      : pool_(context.pool),
        input_(context.input()),
        pieces_(PlanConvPieces(context, weights, choose)),
        converted_(context, pieces_),
        split_(PlanConvSplit({.rows = context.output_shape().height,
                              .blocks = NumBlocksOf(pieces_),
                              .group_blocks = LargestGroupOf(pieces_),
                              .weight_bytes = WeightBytesOf(pieces_)},
                             context.num_threads())) {}

  std::size_t scratch_bytes() const override { return converted_.scratch_bytes(); }

  std::int64_t weight_bytes() const override { return WeightBytesOf(pieces_); }

  void AddWeights(std::vector<AlignedBuffer*>* weights) override {
    for (ConvPiece& piece : pieces_) {
      weights->push_back(&piece.weights);
    }
  }

  void Bind(const RunMemory& memory) override {
    converted_.Bind(memory.arena + input_.arena_offset, memory.scratch);
    calls_.assign(static_cast<std::size_t>(split_.num_parts), {});
    for (int i = 0; i < split_.num_parts; ++i) {
      AddPart(i, memory, calls_[static_cast<std::size_t>(i)]);
    }
  }

  void Run() override {
    converted_.Convert(pool_);
    if (calls_.size() == 1) {
      RunCalls(calls_.front());
    } else {
      pool_->Run(split_.num_parts,
                 [this](int i) { RunCalls(calls_[static_cast<std::size_t>(i)]); });
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

  // What a part has of a piece.
  struct PiecePart {
    Share rows;
    Share channels;
  };

  static std::int64_t WeightBytesOf(const std::vector<ConvPiece>& pieces) {
    std::int64_t total = 0;
    for (const ConvPiece& piece : pieces) total += static_cast<std::int64_t>(piece.weights.size());
    return total;
  }

  static int NumBlocksOf(const std::vector<ConvPiece>& pieces) {
    int total = 0;
    for (const ConvPiece& piece : pieces) total += NumBlocks(piece.stage.args.channels);
    return total;
  }

  static int LargestGroupOf(const std::vector<ConvPiece>& pieces) {
    int largest = 1;
    for (const ConvPiece& piece : pieces) {
      largest = std::max(largest, piece.kernel->format->group_blocks);
    }
    return largest;
  }

  static void RunCalls(const std::vector<Call>& calls) {
    for (const Call& call : calls) {
      call.run(call.args, call.row_begin, call.row_end);
    }
  }

  static void AddCall(const ConvKernel& kernel, const ConvArgs& args, const Share& rows,
                      std::vector<Call>& calls) {
    // Only these kernels have regions of one column, and only whole tiles stay in their registers.
    if (kernel.skips_weights && args.output.width == 1) {
      calls.push_back({kernel.run, ColumnAsRow(args, rows.begin, rows.end), 0, 1});
    } else {
      calls.push_back({kernel.run, args, rows.begin, rows.end});
    }
  }

  static Share RowsOf(const ConvRegion& region, const Share& rows) {
    return {std::max(region.row_begin, rows.begin), std::min(region.row_end, rows.end)};
  }

  // Of the piece, in front of its block `block`: rounded down to a group; all if there is no such
  // block.
  static int ChannelsBefore(const ConvPiece& piece, int block) {
    const int channels = piece.stage.args.channels;
    if (block >= NumBlocks(channels)) return channels;
    const int group = piece.kernel->format->group_blocks;
    return std::max(0, block) / group * group * kBlockChannels;
  }

  // Part `index` of all pieces, whose blocks count on from piece to piece.
  void AddPart(int index, const RunMemory& memory, std::vector<Call>& calls) const {
    const Share blocks = split_.Blocks(index);
    int first_block = 0;
    for (const ConvPiece& piece : pieces_) {
      const int channels = piece.stage.args.channels;
      const PiecePart part = {.rows = split_.Rows(index),
                              .channels = {ChannelsBefore(piece, blocks.begin - first_block),
                                           ChannelsBefore(piece, blocks.end - first_block)}};
      first_block += NumBlocks(channels);
      if (part.channels.begin >= part.channels.end) continue;
      ConvArgs whole = piece.args;
      converted_.SetPointers(piece, &whole);
      weight_bytes() > kCachedWeightBytes ? AddSlices(piece, whole, memory, part, calls)
                                          : AddBands(piece, whole, memory, part, calls);
    }
  }

  // The image band by band, so that input and output rows stay cached: all weights do.
  static void AddBands(const ConvPiece& piece, const ConvArgs& whole, const RunMemory& memory,
                       const PiecePart& part, std::vector<Call>& calls) {
    const Share& channels = part.channels;
    for (const ConvRegion& region : piece.regions) {
      const ConvArgs args = OfChannels(piece, piece.Bind(whole, memory, region), channels.begin,
                                       channels.end - channels.begin);
      const Share rows = RowsOf(region, part.rows);
      const int band = std::max(1, piece.kernel->format->band_pixels / args.output.width);
      for (int row = rows.begin; row < rows.end; row += band) {
        AddCall(*piece.kernel, args, {row, std::min(row + band, rows.end)}, calls);
      }
    }
    std::stable_sort(calls.begin(), calls.end(),
                     [](const Call& a, const Call& b) { return a.row_begin < b.row_begin; });
  }

  // The channels slice by slice, each through the whole image, so that its weights stay cached.
  static void AddSlices(const ConvPiece& piece, const ConvArgs& whole, const RunMemory& memory,
                        const PiecePart& part, std::vector<Call>& calls) {
    const Share& channels = part.channels;
    const int slice = piece.regions.size() == 1 ? channels.end - channels.begin : kSliceChannels;
    for (int first = channels.begin; first < channels.end; first += slice) {
      for (const ConvRegion& region : piece.regions) {
        const Share rows = RowsOf(region, part.rows);
        if (rows.begin >= rows.end) continue;
        const ConvArgs args = OfChannels(piece, piece.Bind(whole, memory, region), first,
                                         std::min(slice, channels.end - first));
        AddCall(*piece.kernel, args, rows, calls);
      }
    }
  }

  ThreadPool* pool_;
  TensorLayout input_;
  std::vector<ConvPiece> pieces_;
  ConvInput converted_;
  ConvSplit split_;
  std::vector<std::vector<Call>> calls_;  // Of each part.
};

}  // namespace

std::unique_ptr<BoundOperation> MakeConvOperation(const OperationContext& context,
                                                  const LayerWeights& weights,
                                                  const ConvChoice& choose) {
  return std::make_unique<ConvOperation>(context, weights, choose);
}

std::unique_ptr<BoundOperation> MakeConvOperation(const OperationContext& context) {
  constexpr int kMaxWeightBits = 8;
  std::array<const ConvKernel*, kMaxWeightBits + 1> chosen{};  // Blocks of a width ask alike.
  const auto choose = [&context, &chosen](int weight_bits) -> const ConvKernel& {
    const ConvKernel*& kernel = chosen[static_cast<std::size_t>(weight_bits)];
    if (kernel == nullptr) {
      kernel = context.choices != nullptr
                   ? &ChooseConvKernel(context, weight_bits, *context.choices)
                   : &SelectConvKernel(context.isa, weight_bits, context.input_bits(),
                                       WindowDepth(context), OutputPixels(context));
    }
    return *kernel;
  };
  return MakeConvOperation(context, context.numbers().weights, choose);
}

}  // namespace bitpilot
