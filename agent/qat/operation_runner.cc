#include "agent/qat/operation_runner.h"

#include <limits>
#include <utility>

namespace bitpilot {
namespace {

const Operation& OperationAt(const Topology& topology, int index) {
  return topology.operations[static_cast<std::size_t>(index)];
}

at::Tensor Pad(const at::Tensor& x, const Padding& padding, double value) {
  if (padding == Padding{}) return x;
  return at::constant_pad_nd(x, {padding.left, padding.right, padding.top, padding.bottom}, value);
}

at::Tensor Subsample(const Operation& operation, const at::Tensor& input) {
  using torch::indexing::Slice;
  const at::Tensor pixels =
      input.index({Slice(), Slice(), Slice(0, torch::indexing::None, operation.stride_h),
                   Slice(0, torch::indexing::None, operation.stride_w)});
  const std::int64_t after = operation.out_channels - input.size(1) - operation.pad_channels_before;
  return at::constant_pad_nd(pixels, {0, 0, 0, 0, operation.pad_channels_before, after}, 0.0)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor Pool(const Operation& operation, const at::Tensor& input) {
  const std::vector<std::int64_t> window{operation.kernel_h, operation.kernel_w};
  const std::vector<std::int64_t> stride{operation.stride_h, operation.stride_w};
  if (operation.kind == OperationKind::kMaxPool) {
    const at::Tensor padded =
        Pad(input, operation.padding, -std::numeric_limits<double>::infinity());
    return at::max_pool2d(padded, window, stride);
  }
  return at::avg_pool2d(Pad(input, operation.padding, 0.0), window, stride);
}

at::Tensor RunOne(const Topology& topology, OperationHooks& hooks,
                  const std::vector<at::Tensor>& tensors, int index) {
  const Operation& operation = OperationAt(topology, index);
  const at::Tensor& input = tensors[static_cast<std::size_t>(operation.input)];
  at::Tensor value;
  switch (operation.kind) {
    case OperationKind::kConvolution:
    case OperationKind::kFullyConnected:
      value = hooks.RunLayer(index, input);
      break;
    case OperationKind::kAdd:
      value = input;
      break;
    case OperationKind::kAveragePool:
    case OperationKind::kMaxPool:
      value = Pool(operation, input);
      break;
    case OperationKind::kSubsample:
      value = Subsample(operation, input);
      break;
  }
  if (operation.residual >= 0) {
    const at::Tensor& residual = tensors[static_cast<std::size_t>(operation.residual)];
    // A layer's output is fresh and no gradient needs it; kAdd's input is a stored tensor that
    // others may read.
    value = HasWeights(operation) ? value.add_(residual) : at::add(value, residual);
  }
  if (index + 1 == topology.num_operations()) return value;
  return hooks.Store(index + 1, std::move(value));
}

// Last operation that reads each tensor.
std::vector<int> LastUses(const Topology& topology) {
  std::vector<int> last(static_cast<std::size_t>(topology.num_operations()) + 1, -1);
  for (int i = 0; i < topology.num_operations(); ++i) {
    const Operation& operation = OperationAt(topology, i);
    last[static_cast<std::size_t>(operation.input)] = i;
    if (operation.residual >= 0) last[static_cast<std::size_t>(operation.residual)] = i;
  }
  return last;
}

}  // namespace

at::Tensor RunOperations(const Topology& topology, OperationHooks& hooks,
                         std::vector<at::Tensor>& tensors, int first_operation, bool keep) {
  const std::vector<int> last_uses = LastUses(topology);
  for (int i = first_operation; i < topology.num_operations(); ++i) {
    tensors[static_cast<std::size_t>(i) + 1] = RunOne(topology, hooks, tensors, i);
    if (keep) continue;
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      if (last_uses[t] == i) tensors[t] = at::Tensor();
    }
  }
  return tensors.back().flatten(1);
}

at::Tensor RunNetwork(const Topology& topology, OperationHooks& hooks, const at::Tensor& images) {
  std::vector<at::Tensor> tensors(static_cast<std::size_t>(topology.num_operations()) + 1);
  tensors[0] = images;
  return RunOperations(topology, hooks, tensors);
}

at::Tensor ApplyLayer(const Operation& operation, const at::Tensor& input, const at::Tensor& weight,
                      const at::Tensor& bias) {
  if (operation.kind == OperationKind::kFullyConnected) {
    const at::Tensor flat = input.permute({0, 2, 3, 1}).reshape({input.size(0), -1});
    return at::linear(flat, weight, bias).unsqueeze(-1).unsqueeze(-1);
  }
  const Padding& padding = operation.padding;
  const std::vector<std::int64_t> stride{operation.stride_h, operation.stride_w};
  const bool symmetric = padding.top == padding.bottom && padding.left == padding.right;
  const at::Tensor padded = symmetric ? input : Pad(input, padding, 0.0);
  const std::int64_t pad_h = symmetric ? padding.top : 0;
  const std::int64_t pad_w = symmetric ? padding.left : 0;
  return at::conv2d(padded, weight, bias, stride, {pad_h, pad_w}, 1, operation.groups)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

at::Tensor ApplyActivation(Activation activation, at::Tensor value) {
  if (activation == Activation::kNone) return value;
  const bool in_place = !value.requires_grad();
  if (activation == Activation::kRelu) return in_place ? value.relu_() : value.relu();
  return in_place ? value.clamp_(0.0, 6.0) : value.clamp(0.0, 6.0);
}

bool IsNonNegative(const Topology& topology, int tensor, bool input_non_negative) {
  if (tensor == 0) return input_non_negative;
  const Operation& operation = OperationAt(topology, tensor - 1);
  if (operation.activation != Activation::kNone) return true;
  if (HasWeights(operation)) return false;
  return IsNonNegative(topology, operation.input, input_non_negative) &&
         (operation.residual < 0 ||
          IsNonNegative(topology, operation.residual, input_non_negative));
}

}  // namespace bitpilot
