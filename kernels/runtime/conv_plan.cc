#include "kernels/runtime/conv_plan.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "kernels/base/dense_codes.h"
#include "kernels/conv/conv_format.h"

namespace bitpilot {
namespace {

// Where windows are in the input's form.
void SetInputArgs(const OperationContext& context, const Operation& convolution, ConvPiece* piece) {
  const TensorLayout& input = context.input();
  const ConvInputForm& form = piece->kernel->format->InputForm(context.input_bits());
  ConvArgs& args = piece->args;
  const std::ptrdiff_t pixel_bytes = form.pixel_bytes(input.pixel_bytes);
  const std::ptrdiff_t row_pixels = convolution.stride_h * (input.row_bytes / input.pixel_bytes);
  args.input_row_bytes = row_pixels * pixel_bytes;
  args.input_pixel_bytes = convolution.stride_w * pixel_bytes;
  if (form.set_args != nullptr) form.set_args(DescribeInput(context), &args);
  if (piece->reads_window_sums) {
    constexpr std::ptrdiff_t kSumBytes = sizeof(std::int32_t);
    args.window_sums_row_bytes = row_pixels * kSumBytes;
    args.window_sums_pixel_bytes = convolution.stride_w * kSumBytes;
  }
}

// What is taken from each code, `code_offset`, adds to the sums of a part of the filter.
std::vector<std::int32_t> PartCorrection(const ConvWindow& window, const FilterPart& part,
                                         int code_offset, const std::int8_t* codes, int count) {
  std::vector<std::int32_t> correction(static_cast<std::size_t>(NumBlocks(count)) * kBlockChannels);
  for (int o = 0; o < count; ++o) {
    for (int y = part.row_begin; y < part.row_end; ++y) {
      for (int x = part.column_begin; x < part.column_end; ++x) {
        const std::ptrdiff_t pixel =
            (std::ptrdiff_t{o} * window.filter_h + y) * window.filter_w + x;
        const std::int8_t* channels = codes + pixel * window.group_channels;
        correction[static_cast<std::size_t>(o)] +=
            code_offset *
            std::accumulate(channels, channels + window.group_channels, std::int32_t{0});
      }
    }
  }
  return correction;
}

// `count` channels from `first` on, with these codes [count, window], of which the widest has
// `weight_bits`.
ConvPiece MakePiece(const OperationContext& context, std::span<const std::int8_t> dense_codes,
                    const ConvWindow& window, const ConvKernel& kernel, int first, int count,
                    int weight_bits) {
  const std::ptrdiff_t depth =
      static_cast<std::ptrdiff_t>(window.filter_h) * window.filter_w * window.group_channels;
  const std::int8_t* codes = dense_codes.data();
  ConvPiece piece;
  piece.kernel = &kernel;
  piece.window = window;
  PackedConv packed =
      kernel.format->pack(window, {weight_bits, context.input_bits(), codes, count});
  piece.weights = std::move(packed.weights);
  piece.stage = MakeOutputStage(context, first, count);
  const int code_offset = kernel.format->InputForm(context.input_bits()).code_offset;
  for (int o = 0; o < count; ++o) {
    // What the input's zero point, or what its form takes from a code, adds to the channel's sum.
    const std::int32_t sum =
        std::accumulate(codes + o * depth, codes + (o + 1) * depth, std::int32_t{0});
    piece.stage.correction[static_cast<std::size_t>(o)] =
        (code_offset - context.input().zero_point) * sum;
  }
  const Operation convolution = AsConvolution(context.operation(), context.input().shape);
  piece.args.weight_planes = packed.weight_planes;
  piece.args.masks_planes = packed.masks_planes;
  piece.args.pairs_pixels = packed.pairs_pixels;
  piece.parity_distance_bytes = packed.parity_distance_bytes;
  piece.args.weight_plane_bytes = packed.weight_plane_bytes;
  piece.reads_window_sums = packed.reads_window_sums;
  SetInputArgs(context, convolution, &piece);
  piece.args.weight_block_bytes =
      static_cast<std::ptrdiff_t>(piece.weights.size()) / NumBlocks(count);
  piece.weight_group_bytes =
      kernel.format->group_blocks == 1 ? piece.args.weight_block_bytes : packed.weight_group_bytes;
  const ConvRegion whole = WholeRegion(context.output_shape(), std::move(packed.runs));
  if (!kernel.format->splits_filter || convolution.padding == Padding{} ||
      context.input().zero_point != 0 || !window.all_channels) {
    piece.regions = {whole};
  } else {
    piece.regions = SplitByHalo(
        kernel, convolution, context.input().shape, window,
        packed.weight_plane_bytes > 0 ? packed.weight_plane_bytes : piece.args.weight_block_bytes,
        kernel.format->widen_period(weight_bits, context.input_bits()), whole);
  }
  // A halo of zeros is none any more where the form takes something from each code: what is left out of the filter is
  // left out of the correction, too.
  for (ConvRegion& region : piece.regions) {
    if (code_offset != 0 && region.part.row_end > 0) {
      region.correction = PartCorrection(window, region.part, code_offset, codes, count);
    }
  }
  if (kernel.format->begins != nullptr) {
    for (ConvRegion& region : piece.regions) {
      ConvArgs args = piece.args;
      args.runs = region.runs.data();
      args.weights = piece.weights.data() + region.weight_offset;
      region.begins =
          kernel.format->begins(args, NumBlocks(count), weight_bits, context.input_bits());
    }
  }
  return piece;
}

// Width that holds the codes of all channels of a block: the widest, but 1 bit has no zero for a
// pruned channel.
int BlockBits(std::span<const std::uint8_t> channel_bits) {
  const auto [least, most] = std::minmax_element(channel_bits.begin(), channel_bits.end());
  return *least == 0 && *most == 1 ? 2 : *most;
}

constexpr int kPrunedBits = 2;

// Of channels whose weights are all 0: a kernel that reads the input as it is, so that no copy is
// made for it.
const ConvKernel& PrunedKernel(Isa isa) {
  constexpr int kManyPixels = 2;
  return SelectConvKernel(isa, kPrunedBits, /*activation_bits=*/8, /*depth=*/1, kManyPixels);
}

// `count` channels from `first` on without weights: one step of zeros, because kernels take no
// empty filter, and the output stage.
ConvPiece MakePrunedPiece(const OperationContext& context, const ConvWindow& window,
                          const ConvKernel& kernel, int first, int count) {
  ConvWindow step = window;
  step.filter_h = step.filter_w = 1;
  step.group_channels = std::min(window.group_channels, kernel.format->elements_per_step);
  step.all_channels = false;
  const std::vector<std::int8_t> zeros(static_cast<std::size_t>(count * step.group_channels));
  return MakePiece(context, zeros, step, kernel, first, count, kPrunedBits);
}

}  // namespace

ConvArgs ConvPiece::Bind(ConvArgs whole, const RunMemory& memory, const ConvRegion& region) const {
  whole.input += region.column_begin * args.input_pixel_bytes;
  if (reads_window_sums) {
    whole.window_sums += region.column_begin * args.window_sums_pixel_bytes;
  }
  whole.runs = region.runs.data();
  if (!region.begins.empty()) {
    whole.begins = region.begins.data();
    whole.begin_block_bytes = static_cast<std::ptrdiff_t>(region.begins.size()) /
                              NumBlocks(static_cast<int>(stage.args.channels));
  }
  whole.weights = weights.data() + region.weight_offset;
  whole.output = stage.Bind(memory);
  if (!region.correction.empty()) {
    whole.output.correction = region.correction.data();
    whole.output.is_plain = false;  // Whatever the whole filter's correction is.
  }
  whole.output.width = region.column_end - region.column_begin;
  whole.output.codes += region.column_begin * whole.output.pixel_bytes;
  if (whole.output.residual != nullptr) {
    whole.output.residual += region.column_begin * whole.output.residual_pixel_bytes;
  }
  return whole;
}

Operation AsConvolution(const Operation& operation, const TensorShape& input) {
  Operation convolution = operation;
  if (operation.kind == OperationKind::kFullyConnected) {
    convolution.kernel_h = input.height;
    convolution.kernel_w = input.width;
    convolution.stride_h = 1;
    convolution.stride_w = 1;
    convolution.padding = Padding{};
    convolution.groups = 1;
  }
  return convolution;
}

std::int64_t OutputPixels(const OperationContext& context) {
  const TensorShape output = context.output_shape();
  return std::int64_t{output.height} * output.width;
}

InputCodes DescribeInput(const OperationContext& context) {
  const TensorLayout& input = context.input();
  return {.total_bytes = input.total_bytes(),
          .pixel_bytes = input.pixel_bytes,
          .channels = input.shape.channels,
          .bits = context.input_bits(),
          .slack_bytes = kTensorSlackBytes};
}

std::vector<ConvPiece> PlanConvPieces(const OperationContext& context, const LayerWeights& weights,
                                      const ConvChoice& choose) {
  const Operation convolution = AsConvolution(context.operation(), context.input().shape);
  const std::vector<std::uint8_t>& bits = weights.channel_bits;
  const int group_inputs = context.input().shape.channels / convolution.groups;
  const int group_outputs = convolution.out_channels / convolution.groups;
  const auto depth =
      static_cast<std::size_t>(convolution.kernel_h * convolution.kernel_w * group_inputs);
  std::vector<ConvPiece> pieces;
  for (int group = 0; group < convolution.groups; ++group) {
    const ConvWindow window = {.filter_h = convolution.kernel_h,
                               .filter_w = convolution.kernel_w,
                               .first_channel = group * group_inputs,
                               .group_channels = group_inputs,
                               .pixel_bytes = context.input().pixel_bytes,
                               .row_bytes = context.input().row_bytes,
                               .all_channels = convolution.groups == 1,
                               .stride_w = convolution.stride_w};
    const int end = (group + 1) * group_outputs;
    for (int first = group * group_outputs; first < end;) {
      // A piece grows block by block while the blocks' widest channels call for the same kernel.
      const ConvKernel* kernel = nullptr;
      int widest = 0;
      int last = first;
      while (last < end) {
        const int block_end = std::min(last + kBlockChannels, end);
        const int block_bits = BlockBits(std::span(bits).subspan(
            static_cast<std::size_t>(last), static_cast<std::size_t>(block_end - last)));
        const ConvKernel& choice = block_bits > 0 ? choose(block_bits) : PrunedKernel(context.isa);
        // Pruned blocks take no pass at all.
        const bool needs_equal_bits =
            choice.format->passes_by_width || block_bits == 0 || widest == 0;
        if (kernel != nullptr &&
            (kernel != &choice || (needs_equal_bits && block_bits != widest))) {
          break;
        }
        kernel = &choice;
        widest = std::max(widest, block_bits);
        last = block_end;
      }
      if (widest == 0) {
        pieces.push_back(MakePrunedPiece(context, window, *kernel, first, last - first));
      } else {
        const std::vector<std::int8_t> codes =
            DenseCodes(weights, static_cast<std::size_t>(first),
                       static_cast<std::size_t>(last - first), depth);
        pieces.push_back(MakePiece(context, codes, window, *kernel, first, last - first, widest));
      }
      first = last;
    }
  }
  return pieces;
}

}  // namespace bitpilot
