#include "kernels/runtime/conv_input.h"

#include <algorithm>

#include "kernels/conv/conv_packing.h"

namespace bitpilot {

ConvInput::ConvInput(const TensorLayout& input, const Operation& convolution,
                     std::span<const ConvPiece> pieces, const ElementwiseKernels& elementwise)
    : input_(input), convolution_(convolution), elementwise_(&elementwise) {
  for (const ConvPiece& piece : pieces) {
    reads_words_ |= piece.kernel->operand == ConvOperand::kWords;
    reads_tables_ |= piece.kernel->operand == ConvOperand::kTables;
    reads_sign_tables_ |= piece.kernel->operand == ConvOperand::kSignTables;
    num_planes_ = std::max(num_planes_, piece.args.input_planes);
    parity_distance_ = std::max(parity_distance_, piece.parity_distance_bytes);
  }
  words_offset_ = Reserve(reads_words_ ? 2 * input.total_bytes() : 0);
  // Behind the planes lies one of parities for each.
  planes_offset_ = Reserve(static_cast<std::size_t>(num_planes_ * InputPlaneBytes(input) *
                                                    (parity_distance_ > 0 ? 2 : 1)));
  tables_offset_ = Reserve(reads_tables_ ? kTableBytes / 4 * input.total_bytes() : 0);
  sign_tables_offset_ =
      Reserve(reads_sign_tables_
                  ? static_cast<std::size_t>(NumPixels() * SignTablePixelBytes(input.pixel_bytes))
                  : 0);
  for (const ConvPiece& piece : pieces) {
    const ConvWindow& window = piece.window;
    const bool known = std::any_of(
        window_sums_.begin(), window_sums_.end(),
        [&window](const WindowSums& sums) { return sums.first_channel == window.first_channel; });
    if (piece.ReadsWindowSums() && !known) {
      const std::size_t bytes = static_cast<std::size_t>(NumPixels()) * sizeof(std::int32_t);
      window_sums_.push_back({window.first_channel, window.group_channels, Reserve(bytes)});
    }
  }
}

std::ptrdiff_t ConvInput::NumPixels() const {
  return static_cast<std::ptrdiff_t>(input_.total_bytes()) / input_.pixel_bytes;
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
  codes_ = codes;
  scratch_ = scratch;
}

void ConvInput::Convert() const {
  if (reads_words_) {
    elementwise_->widen_codes(codes_, input_.total_bytes(),
                              reinterpret_cast<std::int16_t*>(scratch_ + words_offset_));
  }
  if (num_planes_ > 0) {
    elementwise_->pack_planes(codes_, NumPixels(), input_.pixel_bytes, num_planes_,
                              scratch_ + planes_offset_, InputPlaneBytes(input_));
    if (parity_distance_ > 0) BuildParities();
  }
  if (reads_tables_) {
    const std::size_t num_tables = input_.total_bytes() / 4;
    elementwise_->build_tables(codes_, num_tables, scratch_ + tables_offset_);
    // A window's last step may read one more: the empty sum must be 0 there, too.
    scratch_[tables_offset_ + num_tables * kTableBytes] = 0;
  }
  if (reads_sign_tables_) {
    elementwise_->build_sign_tables(codes_, NumPixels(), input_.pixel_bytes, input_.shape.channels,
                                    scratch_ + sign_tables_offset_);
  }
  for (const WindowSums& group : window_sums_) {
    AddUpWindows(group);
  }
}

void ConvInput::BuildParities() const {
  const std::ptrdiff_t plane_bytes = InputPlaneBytes(input_);
  std::uint8_t* planes = scratch_ + planes_offset_;
  for (int plane = 0; plane < num_planes_; ++plane) {
    elementwise_->build_parities(planes + plane * plane_bytes, plane_bytes - 2 * parity_distance_,
                                 parity_distance_, planes + (num_planes_ + plane) * plane_bytes);
  }
}

// The window of a pixel at (y, x) of the halo's coordinates: its sum is at the pixel's index.
void ConvInput::AddUpWindows(const WindowSums& group) const {
  auto* sums = reinterpret_cast<std::int32_t*>(scratch_ + group.offset);
  const std::ptrdiff_t row = input_.row_bytes / input_.pixel_bytes;
  const int filter_h = convolution_.kernel_h;
  const int filter_w = convolution_.kernel_w;
  elementwise_->sum_channels(codes_ + group.first_channel, NumPixels(), input_.pixel_bytes,
                             group.num_channels, sums);
  const std::ptrdiff_t num_columns = NumPixels() - (filter_h - 1) * row;
  elementwise_->sum_ahead(sums, num_columns, row, filter_h);
  elementwise_->sum_ahead(sums, num_columns - (filter_w - 1), 1, filter_w);
}

void ConvInput::SetPointers(const ConvPiece& piece, ConvArgs* args) const {
  const std::ptrdiff_t window =
      static_cast<std::ptrdiff_t>(input_.origin_offset() - input_.arena_offset) -
      convolution_.padding.top * input_.row_bytes - convolution_.padding.left * input_.pixel_bytes;
  switch (piece.kernel->operand) {
    case ConvOperand::kBytes:
    case ConvOperand::kFields:
    case ConvOperand::kDense8:
    case ConvOperand::kDense4:
    case ConvOperand::kDense2:
    case ConvOperand::kTiles:
      args->input = codes_ + window;
      break;
    case ConvOperand::kWords:
      args->input = scratch_ + words_offset_ + 2 * window;
      break;
    case ConvOperand::kSignPlanes:
    case ConvOperand::kPlanes64:
      args->input = scratch_ + planes_offset_ +
                    window / input_.pixel_bytes * PlanePixelBytes(input_.pixel_bytes);
      args->input_parity_bytes = num_planes_ * InputPlaneBytes(input_);
      break;
    case ConvOperand::kTables:
      args->input = scratch_ + tables_offset_ + kTableBytes / 4 * window;
      break;
    case ConvOperand::kSignTables:
      args->input = scratch_ + sign_tables_offset_ +
                    window / input_.pixel_bytes * SignTablePixelBytes(input_.pixel_bytes);
      break;
  }
  for (const WindowSums& group : window_sums_) {
    if (piece.ReadsWindowSums() && group.first_channel == piece.window.first_channel) {
      args->window_sums =
          scratch_ + group.offset +
          window / input_.pixel_bytes * static_cast<std::ptrdiff_t>(sizeof(std::int32_t));
    }
  }
}

}  // namespace bitpilot
