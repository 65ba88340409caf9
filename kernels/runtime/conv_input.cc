#include "kernels/runtime/conv_input.h"

#include <algorithm>

namespace bitpilot {

ConvInput::ConvInput(const OperationContext& context, std::span<const ConvPiece> pieces)
    : input_(context.input()),
      convolution_(AsConvolution(context.operation(), input_.shape)),
      elementwise_(&SelectElementwiseKernels(context.isa)),
      codes_(DescribeInput(context)) {
  for (const ConvPiece& piece : pieces) {
    codes_.parity_distance_bytes =
        std::max(codes_.parity_distance_bytes, piece.parity_distance_bytes);
  }
  for (const ConvPiece& piece : pieces) {
    const ConvInputForm* form = &piece.kernel->format->InputForm(codes_.bits);
    const bool known =
        std::any_of(forms_.begin(), forms_.end(),
                    [form](const ConvertedForm& converted) { return converted.form == form; });
    if (!form->is_codes() && !known) forms_.push_back({form, Reserve(form->total_bytes(codes_))});
  }
  for (const ConvPiece& piece : pieces) {
    const ConvWindow& window = piece.window;
    const bool known = std::any_of(
        window_sums_.begin(), window_sums_.end(),
        [&window](const WindowSums& sums) { return sums.first_channel == window.first_channel; });
    if (piece.reads_window_sums && !known) {
      const auto bytes = static_cast<std::size_t>(codes_.num_pixels()) * sizeof(std::int32_t);
      window_sums_.push_back({window.first_channel, window.group_channels, Reserve(bytes)});
    }
  }
}

// Returns the offset of `bytes` in the scratch memory, and of what may be read behind them.
std::size_t ConvInput::Reserve(std::size_t bytes) {
  const std::size_t offset = scratch_bytes_;
  if (bytes > 0) {
    scratch_bytes_ += (bytes + 2 * kTensorSlackBytes - 1) / kTensorSlackBytes * kTensorSlackBytes;
  }
  return offset;
}

void ConvInput::Bind(const std::uint8_t* codes, std::uint8_t* scratch) {
  codes_.codes = codes;
  scratch_ = scratch;
}

void ConvInput::Convert(ThreadPool* pool) const {
  if (!forms_.empty()) {
    ShareOut(pool, static_cast<int>(codes_.num_pixels()), [this](int begin, int end, int) {
      for (const ConvertedForm& converted : forms_) {
        converted.form->convert(*elementwise_, codes_, {begin, end}, scratch_ + converted.offset);
      }
    });
  }
  for (const ConvertedForm& converted : forms_) {
    if (converted.form->complete == nullptr) continue;
    converted.form->complete(*elementwise_, codes_, scratch_ + converted.offset);
  }
  for (const WindowSums& group : window_sums_) {
    AddUpWindows(group);
  }
}

// The window of a pixel at (y, x) of the halo's coordinates: its sum is at the pixel's index.
void ConvInput::AddUpWindows(const WindowSums& group) const {
  auto* sums = reinterpret_cast<std::int32_t*>(scratch_ + group.offset);
  const std::ptrdiff_t row = input_.row_bytes / input_.pixel_bytes;
  const int filter_h = convolution_.kernel_h;
  const int filter_w = convolution_.kernel_w;
  const std::ptrdiff_t num_pixels = codes_.num_pixels();
  elementwise_->sum_channels(codes_.codes + group.first_channel, num_pixels, input_.pixel_bytes,
                             group.num_channels, sums);
  const std::ptrdiff_t num_columns = num_pixels - (filter_h - 1) * row;
  elementwise_->sum_ahead(sums, num_columns, row, filter_h);
  elementwise_->sum_ahead(sums, num_columns - (filter_w - 1), 1, filter_w);
}

void ConvInput::SetPointers(const ConvPiece& piece, ConvArgs* args) const {
  const std::ptrdiff_t window_bytes =
      static_cast<std::ptrdiff_t>(input_.origin_offset() - input_.arena_offset) -
      convolution_.padding.top * input_.row_bytes - convolution_.padding.left * input_.pixel_bytes;
  const std::ptrdiff_t window = window_bytes / input_.pixel_bytes;
  const ConvInputForm* form = &piece.kernel->format->InputForm(codes_.bits);
  args->input = codes_.codes + window_bytes;
  for (const ConvertedForm& converted : forms_) {
    if (converted.form == form) {
      args->input = scratch_ + converted.offset + window * form->pixel_bytes(input_.pixel_bytes);
    }
  }
  for (const WindowSums& group : window_sums_) {
    if (piece.reads_window_sums && group.first_channel == piece.window.first_channel) {
      args->window_sums =
          scratch_ + group.offset + window * static_cast<std::ptrdiff_t>(sizeof(std::int32_t));
    }
  }
}

}  // namespace bitpilot
