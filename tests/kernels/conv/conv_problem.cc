#include "tests/kernels/conv/conv_problem.h"

#include <algorithm>
#include <numeric>
#include <ostream>

#include "kernels/conv/conv_format.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/output/requantize.h"
#include "kernels/runtime/owned_output_stage.h"
#include "kernels/runtime/tensor_layout.h"

namespace bitpilot {
namespace {

constexpr std::uint8_t kUntouched = 0xEE;
constexpr float kResidualScale = 0.37F;

}  // namespace

std::ostream& operator<<(std::ostream& os, const ConvCase& c) {
  return os << c.height << "x" << c.width << "x" << c.channels << " group " << c.first_channel
            << "+" << c.group_channels << " filter " << c.filter_h << "x" << c.filter_w
            << " stride " << c.stride_h << "x" << c.stride_w << " out " << c.out_channels << " w"
            << c.weight_bits << "a" << c.activation_bits << " zero point " << c.zero_point
            << " operands " << static_cast<int>(c.operands) << " residual " << c.has_residual
            << " logits " << c.gives_logits << " scale " << c.scale << " bias " << c.bias
            << " codes " << c.code_min << " to " << c.code_max << " zero point "
            << c.output_zero_point;
}

template <class F>
void ConvProblem::ForEachOutput(F f) const {
  for (int y = 0; y < conv_.out_height(); ++y) {
    for (int x = 0; x < conv_.out_width(); ++x) {
      for (int o = 0; o < conv_.out_channels; ++o) {
        const auto channel = static_cast<std::size_t>(o);
        float t = Rescale(Accumulate(y, x, o), scale_[channel], bias_[channel]);
        if (conv_.has_residual) {
          t = AddResidual(t, residual_[OutputOffset(y, x) + channel] - residual_zero_point_,
                          kResidualScale);
        }
        f(y, x, o, t);
      }
    }
  }
}

ConvProblem::ConvProblem(const ConvCase& conv, std::uint64_t seed)
    : conv_(conv),
      random_(seed),
      row_gap_(seed % 2 == 0 ? 0 : 5),
      residual_zero_point_(seed % 3 == 0 ? 0 : 7),
      input_guard_(seed % 2 == 0 ? GuardedSide::kBehind : GuardedSide::kBefore),
      input_(GuardedAllocator<std::uint8_t>(input_guard_)) {
  pixel_bytes_ = (conv.channels + 3) / 4 * 4;
  row_bytes_ = pixel_bytes_ * (conv.width + conv.padding.left + conv.padding.right);
  input_.resize(kTensorSlackBytes +
                    static_cast<std::size_t>(
                        row_bytes_ * (conv.height + conv.padding.top + conv.padding.bottom)) +
                    kTensorSlackBytes,
                static_cast<std::uint8_t>(conv.zero_point));
  for (int y = 0; y < conv.height; ++y) {
    for (int x = 0; x < conv.width; ++x) {
      for (int c = 0; c < pixel_bytes_; ++c) {
        // Bytes behind the last channel are never written by a producer; their weights are zero.
        input_[Offset(y, x) + static_cast<std::size_t>(c)] =
            static_cast<std::uint8_t>(c < conv.channels ? RandomCode() : 255);
      }
    }
  }
  weights_.resize(static_cast<std::size_t>(conv.out_channels * conv.depth()));
  std::generate(weights_.begin(), weights_.end(), [this] { return RandomWeight(); });
  const auto padded_channels =
      static_cast<std::size_t>(NumBlocks(conv.out_channels) * kBlockChannels);
  scale_.resize(padded_channels);
  bias_.resize(padded_channels);
  for (std::size_t o = 0; o < padded_channels; ++o) {
    // Negative scales come from negative batch-norm gammas.
    scale_[o] = o % 3 == 1 ? -conv.scale : conv.scale * static_cast<float>(1 + o % 2);
    bias_[o] = static_cast<float>(Pick(-300, 300)) / 300.0F * conv.bias;
  }
  residual_.resize(output_size() + kTensorSlackBytes, 0);
  std::generate(residual_.begin(), residual_.end(),
                [this] { return static_cast<std::uint8_t>(Pick(0, 255)); });
}

GuardedVector<std::uint8_t> ConvProblem::ExpectedCodes() const {
  GuardedVector<std::uint8_t> codes(output_size(), kUntouched);
  ForEachOutput([&](int y, int x, int o, float t) {
    codes[OutputOffset(y, x) + static_cast<std::size_t>(o)] =
        ToCode(t, conv_.output_zero_point, conv_.code_min, conv_.code_max);
  });
  return codes;
}

GuardedVector<float> ConvProblem::ExpectedLogits() const {
  GuardedVector<float> logits(static_cast<std::size_t>(conv_.out_channels));
  ForEachOutput([&](int, int, int o, float t) { logits[static_cast<std::size_t>(o)] = t; });
  return logits;
}

void ConvProblem::Run(const ConvKernel& kernel, int band) {
  const ConvWindow window = {.filter_h = conv_.filter_h,
                             .filter_w = conv_.filter_w,
                             .first_channel = conv_.first_channel,
                             .group_channels = conv_.group_channels,
                             .pixel_bytes = pixel_bytes_,
                             .row_bytes = row_bytes_,
                             .all_channels = conv_.group_channels == conv_.channels,
                             .stride_w = conv_.stride_w};
  const ConvFormat& format = *kernel.format;
  const PackedConv packed = format.pack(
      window, {conv_.weight_bits, conv_.activation_bits, weights_.data(), conv_.out_channels});
  const ConvInputForm& form = format.InputForm(conv_.activation_bits);
  ConvArgs args;
  const GuardedVector<std::uint8_t> converted =
      ConvertInput(form, packed.parity_distance_bytes, &args);
  args.weight_planes = packed.weight_planes;
  args.masks_planes = packed.masks_planes;
  args.pairs_pixels = packed.pairs_pixels;
  args.weight_plane_bytes = packed.weight_plane_bytes;
  GuardedVector<std::int32_t> window_sums;
  if (packed.reads_window_sums) {
    window_sums = WindowSums(&args);
  }
  args.runs = packed.runs.data();
  args.weights = packed.weights.data();
  args.weight_block_bytes =
      static_cast<std::ptrdiff_t>(packed.weights.size()) / NumBlocks(conv_.out_channels);
  std::vector<std::uint8_t> begins;
  if (format.begins != nullptr) {
    begins = format.begins(args, NumBlocks(conv_.out_channels), conv_.weight_bits,
                           conv_.activation_bits);
  }
  if (!begins.empty()) {
    args.begins = begins.data();
    args.begin_block_bytes =
        static_cast<std::ptrdiff_t>(begins.size()) / NumBlocks(conv_.out_channels);
  }
  const GuardedVector<std::int32_t> correction = Correction(form.code_offset);
  codes_.assign(output_size(), kUntouched);
  logits_.assign(static_cast<std::size_t>(conv_.out_channels), 0.0F);
  args.output = MakeOutputArgs(correction);
  for (int row = 0; row < conv_.out_height(); row += band) {
    kernel.run(args, row, std::min(row + band, conv_.out_height()));
  }
}

int ConvProblem::RandomCode() {
  return conv_.operands == Operands::kRandom ? Pick(0, conv_.max_code()) : conv_.max_code();
}

std::int8_t ConvProblem::RandomWeight() {
  const int limit = conv_.weight_bits == 1 ? 1 : (1 << (conv_.weight_bits - 1)) - 1;
  switch (conv_.operands) {
    case Operands::kAllLargest:
      return static_cast<std::int8_t>(limit);
    case Operands::kAllMostNegative:
      return static_cast<std::int8_t>(-limit);
    case Operands::kRandom:
      break;
  }
  const int weight = conv_.weight_bits == 1 ? 2 * Pick(0, 1) - 1 : Pick(-limit, limit);
  return static_cast<std::int8_t>(weight);
}

GuardedVector<std::uint8_t> ConvProblem::ConvertInput(const ConvInputForm& form,
                                                      std::ptrdiff_t parity_distance,
                                                      ConvArgs* args) const {
  const InputCodes codes = {.codes = input_.data() + kTensorSlackBytes,
                            .total_bytes = input_.size() - 2 * kTensorSlackBytes,
                            .pixel_bytes = pixel_bytes_,
                            .channels = conv_.channels,
                            .bits = conv_.activation_bits,
                            .parity_distance_bytes = parity_distance,
                            .slack_bytes = kTensorSlackBytes};
  const std::ptrdiff_t pixel = form.pixel_bytes(pixel_bytes_);
  args->input_row_bytes = conv_.stride_h * (row_bytes_ / pixel_bytes_) * pixel;
  args->input_pixel_bytes = conv_.stride_w * pixel;
  args->input = codes.codes;
  if (form.set_args != nullptr) form.set_args(codes, args);
  if (form.is_codes()) return {};
  // What lies within the form and is none of it must not count.
  GuardedVector<std::uint8_t> converted(form.total_bytes(codes), 0xFF,
                                        GuardedAllocator<std::uint8_t>(input_guard_));
  form.ConvertAll(SelectElementwiseKernels(Isa::kScalar), codes, converted.data());
  args->input = converted.data();
  return converted;
}

GuardedVector<std::int32_t> ConvProblem::WindowSums(ConvArgs* args) const {
  GuardedVector<std::int32_t> sums;
  sums.reserve(static_cast<std::size_t>(conv_.out_height() * conv_.out_width()));
  for (int y = 0; y < conv_.out_height(); ++y) {
    for (int x = 0; x < conv_.out_width(); ++x) {
      sums.push_back(WindowSum(y, x));
    }
  }
  args->window_sums = reinterpret_cast<const std::uint8_t*>(sums.data());
  args->window_sums_pixel_bytes = sizeof(std::int32_t);
  args->window_sums_row_bytes = conv_.out_width() * args->window_sums_pixel_bytes;
  return sums;
}

std::int32_t ConvProblem::WindowSum(int y, int x) const {
  std::int32_t sum = 0;
  for (int ky = 0; ky < conv_.filter_h; ++ky) {
    for (int kx = 0; kx < conv_.filter_w; ++kx) {
      const std::uint8_t* pixel =
          input_.data() + Offset(y * conv_.stride_h - conv_.padding.top + ky,
                                 x * conv_.stride_w - conv_.padding.left + kx);
      sum = std::accumulate(pixel + conv_.first_channel,
                            pixel + conv_.first_channel + conv_.group_channels, sum);
    }
  }
  return sum;
}

std::size_t ConvProblem::Offset(int y, int x) const {
  return kTensorSlackBytes + static_cast<std::size_t>((y + conv_.padding.top) * row_bytes_ +
                                                      (x + conv_.padding.left) * pixel_bytes_);
}

std::size_t ConvProblem::output_pixel_bytes() const {
  return static_cast<std::size_t>(conv_.out_channels) + 3;
}

std::size_t ConvProblem::output_row_bytes() const {
  return output_pixel_bytes() * static_cast<std::size_t>(conv_.out_width()) + row_gap_;
}

std::size_t ConvProblem::output_size() const {
  return output_row_bytes() * static_cast<std::size_t>(conv_.out_height());
}

std::size_t ConvProblem::OutputOffset(int y, int x) const {
  return static_cast<std::size_t>(y) * output_row_bytes() +
         static_cast<std::size_t>(x) * output_pixel_bytes();
}

GuardedVector<std::int32_t> ConvProblem::Correction(int code_offset) const {
  GuardedVector<std::int32_t> correction(scale_.size());
  for (int o = 0; o < conv_.out_channels; ++o) {
    std::int32_t sum = 0;
    for (int i = 0; i < conv_.depth(); ++i) {
      sum += weights_[static_cast<std::size_t>(o * conv_.depth() + i)];
    }
    correction[static_cast<std::size_t>(o)] = (code_offset - conv_.zero_point) * sum;
  }
  return correction;
}

OutputArgs ConvProblem::MakeOutputArgs(const GuardedVector<std::int32_t>& correction) {
  OutputArgs output;
  output.channels = conv_.out_channels;
  output.correction = correction.data();
  output.scale = scale_.data();
  output.bias = bias_.data();
  output.zero_point = static_cast<float>(conv_.output_zero_point);
  output.code_min = static_cast<float>(conv_.code_min);
  output.code_max = static_cast<float>(conv_.code_max);
  output.is_plain = std::count(correction.begin(), correction.end(), 0) ==
                        static_cast<std::ptrdiff_t>(correction.size()) &&
                    conv_.output_zero_point == 0 && conv_.code_min == 0;
  output.width = conv_.out_width();
  output.pixel_bytes = static_cast<std::ptrdiff_t>(output_pixel_bytes());
  output.row_bytes = static_cast<std::ptrdiff_t>(output_row_bytes());
  if (conv_.gives_logits) {
    output.logits = logits_.data();
  } else {
    output.codes = codes_.data();
  }
  if (conv_.has_residual) {
    output.residual = residual_.data();
    output.residual_pixel_bytes = output.pixel_bytes;
    output.residual_row_bytes = output.row_bytes;
    output.residual_zero_point = residual_zero_point_;
    output.residual_scale = kResidualScale;
  }
  const std::int64_t largest_sum = std::int64_t{conv_.depth()} * 255 * 127;
  output.stays_in_int32 = StaysInInt32(output, largest_sum);
  thresholds_ = FindCodeThresholds(output, conv_.has_residual, largest_sum);
  if (thresholds_.count > 0) {
    output.num_thresholds = thresholds_.count;
    output.threshold_stride = static_cast<std::ptrdiff_t>(thresholds_.flips.size());
    output.thresholds = thresholds_.sums.data();
    output.threshold_flips = thresholds_.flips.data();
  }
  return output;
}

std::int32_t ConvProblem::Accumulate(int y, int x, int o) const {
  std::int32_t acc = 0;
  std::size_t weight = static_cast<std::size_t>(o * conv_.depth());
  for (int ky = 0; ky < conv_.filter_h; ++ky) {
    for (int kx = 0; kx < conv_.filter_w; ++kx) {
      const std::size_t pixel = Offset(y * conv_.stride_h - conv_.padding.top + ky,
                                       x * conv_.stride_w - conv_.padding.left + kx);
      for (int c = 0; c < conv_.group_channels; ++c) {
        const int code = input_[pixel + static_cast<std::size_t>(conv_.first_channel + c)];
        acc += (code - conv_.zero_point) * weights_[weight++];
      }
    }
  }
  return acc;
}

}  // namespace bitpilot
