// Depthwise convolutions: splits the channels into pieces that share a kernel, as ConvOperation
// does.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/base/dense_codes.h"
#include "kernels/depthwise/depthwise.h"
#include "kernels/runtime/conv_split.h"
#include "kernels/runtime/operation.h"
#include "kernels/runtime/owned_output_stage.h"
#include "kernels/runtime/tensor_layout.h"

namespace bitpilot {
namespace {

// Channels after which the weights of every kernel begin anew.
constexpr int kUnitChannels = 64;

// Pruned channels, of 0 bits, from which on a call of their own pays: those that the widest vectors
// hold.
constexpr int kLeastPrunedChannels = 64;

struct DepthwisePiece {
  const DepthwiseKernel* kernel = nullptr;
  bool is_pruned = false;
  AlignedBuffer weights;
  std::ptrdiff_t unit_bytes = 0;  // Of kUnitChannels channels' weights.
  OwnedOutputStage stage;
  DepthwiseArgs args;  // Without pointers.

  // The last one takes what is left: fewer channels are packed in ways of their own.
  int num_units() const { return std::max(1, stage.args.channels / kUnitChannels); }
};

DepthwiseArgs OfUnits(const DepthwisePiece& piece, const Share& units) {
  const int first = units.begin * kUnitChannels;
  const int end =
      units.end == piece.num_units() ? piece.stage.args.channels : units.end * kUnitChannels;
  DepthwiseArgs args = piece.args;
  args.input += first;
  args.weights = static_cast<const std::uint8_t*>(args.weights) + units.begin * piece.unit_bytes;
  args.output = OfChannels(args.output, first, end - first);
  return args;
}

// Largest magnitude that a sum over the taps can reach.
std::int64_t LargestSum(int num_taps, int weight_bits, int activation_bits) {
  const std::int64_t weight_max = weight_bits <= 1 ? weight_bits : (1 << (weight_bits - 1)) - 1;
  return num_taps * weight_max * ((1 << activation_bits) - 1);
}

// Where the pruned channels end that begin at `first`, in whole blocks; `first` if they are few.
int PrunedEnd(std::span<const std::uint8_t> channel_bits, int first) {
  const auto begin = channel_bits.begin() + first;
  const auto end =
      std::find_if(begin, channel_bits.end(), [](std::uint8_t bits) { return bits > 0; });
  const auto count = static_cast<int>(end - begin);
  const int whole = end == channel_bits.end() ? count : count / kBlockChannels * kBlockChannels;
  return whole < kLeastPrunedChannels ? first : first + whole;
}

// For pruned channels: without taps, what is left of a kernel of pairs is its output stage.
const DepthwiseKernel& KernelWithoutTaps(Isa limit) {
  for (const DepthwiseKernel& kernel : AllDepthwiseKernels()) {
    if (Allows(limit, kernel.features) && kernel.taps != TapOrder::kColumns64) return kernel;
  }
  BITPILOT_CHECK(!"the scalar kernel takes pairs");
  std::abort();
}

// Index of a channel's tap among its pair of taps' codes.
int PairIndex(TapOrder order, int channel, int tap) {
  if (order == TapOrder::kTaps16) {
    return tap % 2 * kBlockChannels + channel % kBlockChannels;
  }
  const int lane = 2 * (channel % 8) + tap % 2;
  const int half = channel / 8 % 2;
  if (order == TapOrder::kBytes32) {
    return 32 * half + 16 * (channel / kBlockChannels % 2) + lane;
  }
  return 16 * half + lane;
}

// Channels of codes [count, taps] in pairs of taps.
AlignedBuffer PackPairs(std::span<const std::int8_t> codes, int num_taps, TapOrder order) {
  const int count = static_cast<int>(codes.size()) / num_taps;
  const int padded_taps = (num_taps + 1) / 2 * 2;
  const int group = order == TapOrder::kBytes32 ? 2 * kBlockChannels : kBlockChannels;
  const int code_bytes = order == TapOrder::kWords16 ? 2 : 1;
  const int num_groups = (count + group - 1) / group;
  AlignedBuffer packed(static_cast<std::size_t>(num_groups * group * padded_taps * code_bytes));
  for (int c = 0; c < count; ++c) {
    for (int tap = 0; tap < num_taps; ++tap) {
      const std::int16_t code = codes[static_cast<std::size_t>(c * num_taps + tap)];
      const int index = (c / group * padded_taps + tap / 2 * 2) * group + PairIndex(order, c, tap);
      // Of a byte: the low one, which comes first.
      std::memcpy(packed.data() + index * code_bytes, &code, static_cast<std::size_t>(code_bytes));
    }
  }
  return packed;
}

// Channels of codes [count, filter_h, filter_w] as TapOrder::kColumns64.
AlignedBuffer PackColumns(std::span<const std::int8_t> codes, int filter_h, int filter_w) {
  constexpr int kLanes = 64;
  constexpr int kTaps = 4;  // Of a column, in one lane.
  const int count = static_cast<int>(codes.size()) / (filter_h * filter_w);
  const bool repeats = count == 8 || count == 16 || count == 32;
  const int groups = (filter_h + kTaps - 1) / kTaps;
  const int num_lanes = (count + kLanes - 1) / kLanes * kLanes;
  AlignedBuffer packed(static_cast<std::size_t>(num_lanes * filter_w * groups * kTaps));
  for (int l = 0; l < num_lanes; ++l) {
    const int channel = repeats ? l % count : l;
    if (channel >= count) {
      break;
    }
    const int lane = l % 16 / 4 * 16 + l % kLanes / 16 * 4 + l % 4;
    for (int y = 0; y < filter_h; ++y) {
      for (int x = 0; x < filter_w; ++x) {
        const int step = (l / kLanes * filter_w + x) * groups + y / kTaps;
        packed.data()[(step * kLanes + lane) * kTaps + y % kTaps] = static_cast<std::uint8_t>(
            codes[static_cast<std::size_t>((channel * filter_h + y) * filter_w + x)]);
      }
    }
  }
  return packed;
}

// Of kUnitChannels channels, packed as above.
std::ptrdiff_t UnitBytes(const Operation& operation, TapOrder order) {
  if (order == TapOrder::kColumns64) {
    return std::ptrdiff_t{kUnitChannels} * operation.kernel_w * ((operation.kernel_h + 3) / 4 * 4);
  }
  const std::ptrdiff_t padded_taps = (operation.kernel_h * operation.kernel_w + 1) / 2 * 2;
  return kUnitChannels * padded_taps * (order == TapOrder::kWords16 ? 2 : 1);
}

class DepthwiseOperation final : public BoundOperation {
 public:
  explicit DepthwiseOperation(const OperationContext& context)
      : pool_(context.pool), output_height_(context.output_shape().height) {
    const Operation& operation = context.operation();
    const TensorLayout& input = context.input();
    for (int y = 0; y < operation.kernel_h; ++y) {
      for (int x = 0; x < operation.kernel_w; ++x) {
        tap_offsets_.push_back(
            static_cast<std::int32_t>(y * input.row_bytes + x * input.pixel_bytes));
      }
    }
    window_offset_ = static_cast<std::ptrdiff_t>(input.origin_offset()) -
                     operation.padding.top * input.row_bytes -
                     operation.padding.left * input.pixel_bytes;
    AddPieces(context);
    int num_units = 0;
    for (const DepthwisePiece& piece : pieces_) num_units += piece.num_units();
    split_ =
        PlanConvSplit({.rows = output_height_, .blocks = num_units, .weight_bytes = weight_bytes()},
                      context.num_threads());
    if (tap_offsets_.size() % 2 != 0) {
      tap_offsets_.push_back(tap_offsets_.back());
    }
  }

  std::int64_t weight_bytes() const override {
    std::int64_t total = 0;
    for (const DepthwisePiece& piece : pieces_) {
      total += static_cast<std::int64_t>(piece.weights.size());
    }
    return total;
  }

  void AddWeights(std::vector<AlignedBuffer*>* weights) override {
    for (DepthwisePiece& piece : pieces_) {
      weights->push_back(&piece.weights);
    }
  }

  void Bind(const RunMemory& memory) override {
    for (DepthwisePiece& piece : pieces_) {
      piece.args.input = memory.arena + window_offset_ + piece.stage.first_channel;
      piece.args.tap_offsets = tap_offsets_.data();
      piece.args.num_taps = piece.is_pruned ? 0 : static_cast<int>(tap_offsets_.size());
      piece.args.weights = piece.weights.data();
      piece.args.output = piece.stage.Bind(memory);
    }
    calls_.assign(static_cast<std::size_t>(split_.num_parts), {});
    for (int i = 0; i < split_.num_parts; ++i) AddPart(i, calls_[static_cast<std::size_t>(i)]);
  }

  void Run() override {
    if (calls_.size() == 1) {
      RunCalls(calls_.front());
    } else {
      pool_->Run(split_.num_parts,
                 [this](int i) { RunCalls(calls_[static_cast<std::size_t>(i)]); });
    }
  }

  std::string kernel_name() const override {
    std::vector<std::string_view> names;
    for (const DepthwisePiece& piece : pieces_) {
      names.push_back(piece.kernel->name);
    }
    return JoinKernelNames(names);
  }

 private:
  struct Call {
    DepthwiseFn run;
    DepthwiseArgs args;
    Share rows;
  };

  static void RunCalls(const std::vector<Call>& calls) {
    for (const Call& call : calls) call.run(call.args, call.rows.begin, call.rows.end);
  }

  // Part `index`, whose units count on from piece to piece.
  void AddPart(int index, std::vector<Call>& calls) const {
    const Share units = split_.Blocks(index);
    int first = 0;
    for (const DepthwisePiece& piece : pieces_) {
      const int count = piece.num_units();
      const Share own = {std::clamp(units.begin - first, 0, count),
                         std::clamp(units.end - first, 0, count)};
      first += count;
      if (own.begin < own.end) {
        calls.push_back({piece.kernel->run, OfUnits(piece, own), split_.Rows(index)});
      }
    }
  }

  void AddPieces(const OperationContext& context) {
    const LayerWeights& weights = context.numbers().weights;
    const int num_taps = static_cast<int>(tap_offsets_.size());
    const int channels = context.operation().out_channels;
    const int activation_bits =
        context.network.tensors[static_cast<std::size_t>(context.operation().input)].bits;
    const auto kernel_of_block = [&](int first) {
      const auto begin = weights.channel_bits.begin() + first;
      const int widest =
          *std::max_element(begin, begin + std::min(kBlockChannels, channels - first));
      return &SelectDepthwiseKernel(context.isa, LargestSum(num_taps, widest, activation_bits));
    };
    for (int first = 0; first < channels;) {
      DepthwisePiece piece;
      int end = PrunedEnd(weights.channel_bits, first);
      piece.is_pruned = end > first;
      if (piece.is_pruned) {
        piece.kernel = &KernelWithoutTaps(context.isa);
      } else {
        piece.kernel = kernel_of_block(first);
        do {
          end += kBlockChannels;
        } while (end < channels && kernel_of_block(end) == piece.kernel &&
                 PrunedEnd(weights.channel_bits, end) == end);
      }
      AddPiece(context, std::move(piece), first, std::min(end, channels) - first);
      first = end;
    }
  }

  void AddPiece(const OperationContext& context, DepthwisePiece piece, int first, int count) {
    const int num_taps = static_cast<int>(tap_offsets_.size());
    const std::vector<std::int8_t> codes =
        DenseCodes(context.numbers().weights, static_cast<std::size_t>(first),
                   static_cast<std::size_t>(count), static_cast<std::size_t>(num_taps));
    const Operation& operation = context.operation();
    if (!piece.is_pruned) {
      piece.weights = piece.kernel->taps == TapOrder::kColumns64
                          ? PackColumns(codes, operation.kernel_h, operation.kernel_w)
                          : PackPairs(codes, num_taps, piece.kernel->taps);
      piece.unit_bytes = UnitBytes(operation, piece.kernel->taps);
    }
    piece.stage = MakeOutputStage(context, first, count);
    for (int c = 0; c < count; ++c) {
      std::int32_t sum = 0;
      for (int tap = 0; tap < num_taps; ++tap) {
        sum += codes[static_cast<std::size_t>(c) * static_cast<std::size_t>(num_taps) +
                     static_cast<std::size_t>(tap)];
      }
      piece.stage.correction[static_cast<std::size_t>(c)] = -context.input().zero_point * sum;
    }
    piece.args.filter_h = operation.kernel_h;
    piece.args.filter_w = operation.kernel_w;
    piece.args.row_bytes = context.input().row_bytes;
    piece.args.column_bytes = context.input().pixel_bytes;
    piece.args.input_row_bytes = operation.stride_h * context.input().row_bytes;
    piece.args.input_pixel_bytes = operation.stride_w * context.input().pixel_bytes;
    pieces_.push_back(std::move(piece));
  }

  ThreadPool* pool_;
  int output_height_;
  std::vector<std::int32_t> tap_offsets_;
  std::ptrdiff_t window_offset_ = 0;
  std::vector<DepthwisePiece> pieces_;
  ConvSplit split_;
  std::vector<std::vector<Call>> calls_;  // Of each part.
};

}  // namespace

std::unique_ptr<BoundOperation> MakeDepthwiseOperation(const OperationContext& context) {
  return std::make_unique<DepthwiseOperation>(context);
}

}  // namespace bitpilot
