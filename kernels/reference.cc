#include "kernels/reference.h"

#include <algorithm>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/output/requantize.h"

namespace bitpilot {
namespace {

// A stored tensor: codes [H, W, C] and the code of zero.
struct CodeTensor {
  TensorShape shape;
  const std::vector<std::uint8_t>& codes;
  int zero_point;

  bool Contains(int y, int x) const {
    return y >= 0 && y < shape.height && x >= 0 && x < shape.width;
  }
  // The codes of one pixel, [C]. REQUIRES: Contains(y, x).
  const std::uint8_t* Pixel(int y, int x) const { return &codes[ElementIndex(shape, y, x, 0)]; }
  // code - zero_point; padding is the zero point itself.
  std::int32_t At(int y, int x, int c) const {
    return Contains(y, x) ? Pixel(y, x)[c] - zero_point : 0;
  }
  static std::size_t ElementIndex(const TensorShape& shape, int y, int x, int c) {
    return static_cast<std::size_t>(
        (static_cast<std::int64_t>(y) * shape.width + x) * shape.channels + c);
  }
};

// acc = sum over the window and the group's channels of (x - zx) * w.
std::int32_t Convolution(const Operation& op, const CodeTensor& input, const std::int8_t* filter,
                         int y, int x, int out_channel) {
  const int depth = input.shape.channels / op.groups;
  const int first_channel = out_channel / (op.out_channels / op.groups) * depth;
  std::int32_t acc = 0;
  for (int ky = 0; ky < op.kernel_h; ++ky) {
    for (int kx = 0; kx < op.kernel_w; ++kx) {
      const int in_y = y * op.stride_h - op.padding.top + ky;
      const int in_x = x * op.stride_w - op.padding.left + kx;
      if (input.Contains(in_y, in_x)) {
        const std::uint8_t* codes = input.Pixel(in_y, in_x) + first_channel;
        for (int c = 0; c < depth; ++c) acc += (codes[c] - input.zero_point) * filter[c];
      }
      filter += depth;
    }
  }
  return acc;
}

// acc = sum over the whole tensor, in [H, W, C] order, of (x - zx) * w.
std::int32_t FullyConnected(const CodeTensor& input, const std::int8_t* filter) {
  std::int32_t acc = 0;
  for (std::size_t i = 0; i < input.codes.size(); ++i) {
    acc += (input.codes[i] - input.zero_point) * filter[i];
  }
  return acc;
}

// acc = sum over the window of x - zx; the divisor is part of the scale.
std::int32_t AveragePool(const Operation& op, const CodeTensor& input, int y, int x, int channel) {
  std::int32_t acc = 0;
  for (int ky = 0; ky < op.kernel_h; ++ky) {
    for (int kx = 0; kx < op.kernel_w; ++kx) {
      acc += input.At(y * op.stride_h - op.padding.top + ky, x * op.stride_w - op.padding.left + kx,
                      channel);
    }
  }
  return acc;
}

// acc = largest x - zx of the window's pixels inside the image (there is always one:
// ValidateTopology).
std::int32_t MaxPool(const Operation& op, const CodeTensor& input, int y, int x, int channel) {
  std::int32_t acc = -255;
  for (int ky = 0; ky < op.kernel_h; ++ky) {
    for (int kx = 0; kx < op.kernel_w; ++kx) {
      const int in_y = y * op.stride_h - op.padding.top + ky;
      const int in_x = x * op.stride_w - op.padding.left + kx;
      if (input.Contains(in_y, in_x)) acc = std::max(acc, input.At(in_y, in_x, channel));
    }
  }
  return acc;
}

// acc = x - zx of every stride-th pixel; 0 in the added channels.
std::int32_t Subsample(const Operation& op, const CodeTensor& input, int y, int x,
                       int out_channel) {
  const int channel = out_channel - op.pad_channels_before;
  if (channel < 0 || channel >= input.shape.channels) return 0;
  return input.At(y * op.stride_h, x * op.stride_w, channel);
}

// filter: the channel's weights; null if it is pruned or the operation has none.
std::int32_t Accumulate(const Operation& op, const CodeTensor& input, const std::int8_t* filter,
                        int y, int x, int channel) {
  if (HasWeights(op) && filter == nullptr) return 0;
  switch (op.kind) {
    case OperationKind::kConvolution:
      return Convolution(op, input, filter, y, x, channel);
    case OperationKind::kFullyConnected:
      return FullyConnected(input, filter);
    case OperationKind::kAdd:
      return input.At(y, x, channel);
    case OperationKind::kAveragePool:
      return AveragePool(op, input, y, x, channel);
    case OperationKind::kMaxPool:
      return MaxPool(op, input, y, x, channel);
    case OperationKind::kSubsample:
      return Subsample(op, input, y, x, channel);
  }
  BITPILOT_CHECK(false);
}

// pixels [C, H, W] become codes [H, W, C].
std::vector<std::uint8_t> InputCodes(const Network& network, std::span<const std::uint8_t> pixels) {
  const TensorShape& shape = network.topology.input;
  std::vector<std::uint8_t> codes(pixels.size());
  std::size_t next = 0;
  for (int c = 0; c < shape.channels; ++c) {
    for (int y = 0; y < shape.height; ++y) {
      for (int x = 0; x < shape.width; ++x) {
        const std::size_t pixel = pixels[next++];
        codes[CodeTensor::ElementIndex(shape, y, x, c)] =
            network.input_codes[static_cast<std::size_t>(c) * 256 + pixel];
      }
    }
  }
  return codes;
}

// Weights of every output channel, [O]; null where there are none.
std::vector<const std::int8_t*> Filters(const Network& network, std::size_t i) {
  const Operation& op = network.topology.operations[i];
  std::vector<const std::int8_t*> filters(static_cast<std::size_t>(op.out_channels), nullptr);
  if (!HasWeights(op)) return filters;
  const LayerWeights& weights = network.operations[i].weights;
  const std::int64_t depth = WeightDepth(network.topology, static_cast<int>(i));
  const std::int8_t* next = weights.codes.data();
  for (std::size_t c = 0; c < filters.size(); ++c) {
    if (weights.channel_bits[c] == 0) continue;
    filters[c] = next;
    next += depth;
  }
  return filters;
}

// t of every output element of operation i, [H, W, C].
std::vector<float> RunOperation(const Network& network, const std::vector<TensorShape>& shapes,
                                const ReferenceTrace& trace, std::size_t i) {
  const auto tensor = [&](int index) {
    const auto t = static_cast<std::size_t>(index);
    return CodeTensor{shapes[t], trace.tensors[t], network.tensors[t].zero_point};
  };
  const Operation& op = network.topology.operations[i];
  const OutputStage& stage = network.operations[i].output;
  const std::vector<const std::int8_t*> filters = Filters(network, i);
  const CodeTensor input = tensor(op.input);
  const TensorShape& out = shapes[i + 1];
  std::vector<float> outputs;
  outputs.reserve(static_cast<std::size_t>(out.elements()));
  for (int y = 0; y < out.height; ++y) {
    for (int x = 0; x < out.width; ++x) {
      for (int c = 0; c < out.channels; ++c) {
        const auto channel = static_cast<std::size_t>(c);
        const std::int32_t acc = Accumulate(op, input, filters[channel], y, x, c);
        float t = Rescale(acc, stage.scale[channel], stage.bias[channel]);
        if (op.residual >= 0)
          t = AddResidual(t, tensor(op.residual).At(y, x, c), stage.residual_scale);
        outputs.push_back(t);
      }
    }
  }
  return outputs;
}

}  // namespace

ReferenceTrace TraceReference(const Network& network, std::span<const std::uint8_t> pixels) {
  BITPILOT_CHECK(pixels.size() == static_cast<std::size_t>(network.input_bytes()));
  const std::vector<TensorShape> shapes = TensorShapes(network.topology);
  ReferenceTrace trace;
  trace.tensors.push_back(InputCodes(network, pixels));
  for (std::size_t i = 0; i < network.operations.size(); ++i) {
    std::vector<float> outputs = RunOperation(network, shapes, trace, i);
    if (i + 1 == network.operations.size()) {
      trace.logits = std::move(outputs);
      break;
    }
    const OutputStage& stage = network.operations[i].output;
    const int zero_point = network.tensors[i + 1].zero_point;
    std::vector<std::uint8_t> codes;
    codes.reserve(outputs.size());
    for (const float t : outputs) {
      codes.push_back(ToCode(t, zero_point, stage.code_min, stage.code_max));
    }
    trace.tensors.push_back(std::move(codes));
  }
  return trace;
}

std::vector<float> RunReference(const Network& network, std::span<const std::uint8_t> pixels) {
  return TraceReference(network, pixels).logits;
}

}  // namespace bitpilot
