#include "kernels/base/topology.h"

#include <set>

namespace bitpilot {
namespace {

constexpr int kMaxSide = 4096;
constexpr int kMaxChannels = 16'384;
constexpr int kMaxOperations = 1024;
constexpr std::size_t kMaxNameLength = 128;

std::string ExpectedRange(std::string_view field, std::int64_t low, std::int64_t high,
                          std::int64_t value) {
  return std::string(field) + " must be in [" + std::to_string(low) + ", " + std::to_string(high) +
         "], got " + std::to_string(value);
}

Status CheckRange(std::string_view field, std::int64_t low, std::int64_t high, std::int64_t value) {
  if (value >= low && value <= high) return Status();
  return InvalidArgument(ExpectedRange(field, low, high, value));
}

// Names are single words of cost tables, so no spaces, quotes or comment signs.
bool IsName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameLength) return false;
  for (const char c : name) {
    if (c <= ' ' || c > '~' || c == '"' || c == '#') return false;
  }
  return true;
}

bool IsWindowed(OperationKind kind) {
  return kind == OperationKind::kConvolution || kind == OperationKind::kAveragePool ||
         kind == OperationKind::kMaxPool;
}

Status CheckShape(const TensorShape& shape) {
  BITPILOT_RETURN_IF_ERROR(CheckRange("height", 1, kMaxSide, shape.height));
  BITPILOT_RETURN_IF_ERROR(CheckRange("width", 1, kMaxSide, shape.width));
  BITPILOT_RETURN_IF_ERROR(CheckRange("channels", 1, kMaxChannels, shape.channels));
  return CheckRange("elements of one tensor", 1, kMaxTensorElements, shape.elements());
}

// Ranges of the fields that hold numbers, whatever the input's shape is.
Status CheckFields(const Operation& op) {
  if (op.kind > OperationKind::kSubsample) {
    return InvalidArgument("unknown operation kind " + std::to_string(static_cast<int>(op.kind)));
  }
  if (op.activation > Activation::kRelu6) {
    return InvalidArgument("unknown activation " + std::to_string(static_cast<int>(op.activation)));
  }
  BITPILOT_RETURN_IF_ERROR(CheckRange("out_channels", 1, kMaxChannels, op.out_channels));
  const int max_window = IsWindowed(op.kind) ? kMaxSide : 1;
  BITPILOT_RETURN_IF_ERROR(CheckRange("kernel_h", 1, max_window, op.kernel_h));
  BITPILOT_RETURN_IF_ERROR(CheckRange("kernel_w", 1, max_window, op.kernel_w));
  const bool strided = IsWindowed(op.kind) || op.kind == OperationKind::kSubsample;
  const int max_stride = strided ? kMaxSide : 1;
  BITPILOT_RETURN_IF_ERROR(CheckRange("stride_h", 1, max_stride, op.stride_h));
  BITPILOT_RETURN_IF_ERROR(CheckRange("stride_w", 1, max_stride, op.stride_w));
  // Less than the window: every window then holds at least one pixel of the image.
  BITPILOT_RETURN_IF_ERROR(CheckRange("padding.top", 0, op.kernel_h - 1, op.padding.top));
  BITPILOT_RETURN_IF_ERROR(CheckRange("padding.bottom", 0, op.kernel_h - 1, op.padding.bottom));
  BITPILOT_RETURN_IF_ERROR(CheckRange("padding.left", 0, op.kernel_w - 1, op.padding.left));
  BITPILOT_RETURN_IF_ERROR(CheckRange("padding.right", 0, op.kernel_w - 1, op.padding.right));
  const int max_groups = op.kind == OperationKind::kConvolution ? kMaxChannels : 1;
  BITPILOT_RETURN_IF_ERROR(CheckRange("groups", 1, max_groups, op.groups));
  const int max_before = op.kind == OperationKind::kSubsample ? kMaxChannels : 0;
  return CheckRange("pad_channels_before", 0, max_before, op.pad_channels_before);
}

// Out channels and groups against the input's channels.
Status CheckChannels(const Operation& op, const TensorShape& input) {
  switch (op.kind) {
    case OperationKind::kConvolution:
      if (input.channels % op.groups != 0 || op.out_channels % op.groups != 0) {
        return InvalidArgument("groups must divide the " + std::to_string(input.channels) +
                               " input and " + std::to_string(op.out_channels) +
                               " output channels, got " + std::to_string(op.groups));
      }
      return Status();
    case OperationKind::kFullyConnected:
      return Status();
    case OperationKind::kSubsample:
      return CheckRange("out_channels", input.channels + op.pad_channels_before, kMaxChannels,
                        op.out_channels);
    case OperationKind::kAdd:
    case OperationKind::kAveragePool:
    case OperationKind::kMaxPool:
      return CheckRange("out_channels", input.channels, input.channels, op.out_channels);
  }
  return Status();
}

// Terms of one output's sum: bounds the accumulator.
std::int64_t Depth(const Operation& op, const TensorShape& input) {
  const std::int64_t window = static_cast<std::int64_t>(op.kernel_h) * op.kernel_w;
  if (op.kind == OperationKind::kConvolution) return window * (input.channels / op.groups);
  if (op.kind == OperationKind::kFullyConnected) return input.elements();
  return window;
}

int WindowPositions(int size, int padding, int kernel, int stride) {
  return (size + padding - kernel) / stride + 1;
}

TensorShape OutputShape(const Operation& op, const TensorShape& input) {
  if (op.kind == OperationKind::kFullyConnected) return {1, 1, op.out_channels};
  // Subsampling is a 1x1 window and adding a 1x1 window of stride 1, so one formula serves all.
  return {
      WindowPositions(input.height, op.padding.top + op.padding.bottom, op.kernel_h, op.stride_h),
      WindowPositions(input.width, op.padding.left + op.padding.right, op.kernel_w, op.stride_w),
      op.out_channels};
}

Status CheckResidual(const Operation& op, const std::vector<TensorShape>& shapes,
                     const TensorShape& output) {
  if (op.residual == -1) {
    if (op.kind != OperationKind::kAdd) return Status();
    return InvalidArgument("residual is required by an addition");
  }
  if (op.kind != OperationKind::kConvolution && op.kind != OperationKind::kAdd) {
    return InvalidArgument("residual must be -1, got " + std::to_string(op.residual));
  }
  const auto num_tensors = static_cast<int>(shapes.size());
  BITPILOT_RETURN_IF_ERROR(CheckRange("residual", 0, num_tensors - 1, op.residual));
  if (shapes[static_cast<std::size_t>(op.residual)] == output) return Status();
  return InvalidArgument("residual " + std::to_string(op.residual) +
                         " has another shape than the output");
}

// Checks `op` against the tensors before it and gives its output's shape.
Result<TensorShape> CheckOperation(const Operation& op, const std::vector<TensorShape>& shapes) {
  if (!IsName(op.name) || op.name == "input") {
    return InvalidArgument("name must be 1 to " + std::to_string(kMaxNameLength) +
                           " printable characters without space, '\"' and '#', and not \"input\"");
  }
  BITPILOT_RETURN_IF_ERROR(CheckFields(op));
  const auto num_tensors = static_cast<int>(shapes.size());
  BITPILOT_RETURN_IF_ERROR(CheckRange("input", 0, num_tensors - 1, op.input));
  const TensorShape& input = shapes[static_cast<std::size_t>(op.input)];
  BITPILOT_RETURN_IF_ERROR(CheckChannels(op, input));
  const int padded_h = input.height + op.padding.top + op.padding.bottom;
  const int padded_w = input.width + op.padding.left + op.padding.right;
  BITPILOT_RETURN_IF_ERROR(CheckRange("kernel_h", 1, padded_h, op.kernel_h));
  BITPILOT_RETURN_IF_ERROR(CheckRange("kernel_w", 1, padded_w, op.kernel_w));
  BITPILOT_RETURN_IF_ERROR(CheckRange("depth of one output", 1, kMaxDepth, Depth(op, input)));
  const TensorShape output = OutputShape(op, input);
  BITPILOT_RETURN_IF_ERROR(CheckShape(output).WithContext("output"));
  BITPILOT_RETURN_IF_ERROR(CheckResidual(op, shapes, output));
  return output;
}

Status CheckLast(const Operation& op, const TensorShape& output) {
  if (output.height != 1 || output.width != 1) {
    return InvalidArgument("the last operation must give one pixel (the logits), got " +
                           std::to_string(output.height) + "x" + std::to_string(output.width));
  }
  if (op.activation != Activation::kNone) {
    return InvalidArgument("the last operation gives logits and must have no activation");
  }
  return Status();
}

}  // namespace

std::string_view ToString(OperationKind kind) {
  switch (kind) {
    case OperationKind::kConvolution:
      return "convolution";
    case OperationKind::kFullyConnected:
      return "fully_connected";
    case OperationKind::kAdd:
      return "add";
    case OperationKind::kAveragePool:
      return "average_pool";
    case OperationKind::kMaxPool:
      return "max_pool";
    case OperationKind::kSubsample:
      return "subsample";
  }
  return "unknown";
}

Status ValidateTopology(const Topology& topology) {
  if (!IsName(topology.name)) {
    return InvalidArgument("the topology's name must be 1 to " + std::to_string(kMaxNameLength) +
                           " printable characters without space, '\"' and '#'");
  }
  const std::size_t num_operations = topology.operations.size();
  if (num_operations < 1 || num_operations > kMaxOperations) {
    return InvalidArgument(ExpectedRange("number of operations", 1, kMaxOperations,
                                         static_cast<std::int64_t>(num_operations)));
  }
  BITPILOT_RETURN_IF_ERROR(CheckShape(topology.input).WithContext("input"));
  std::vector<TensorShape> shapes = {topology.input};
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < num_operations; ++i) {
    const Operation& op = topology.operations[i];
    // The name itself may be hostile: only a valid one is quoted.
    const std::string where =
        "operation " + std::to_string(i) + (IsName(op.name) ? " (" + op.name + ")" : std::string());
    Result<TensorShape> output = CheckOperation(op, shapes);
    if (!output.ok()) return output.status().WithContext(where);
    if (!names.insert(op.name).second) {
      return InvalidArgument(where + ": name is used twice");
    }
    shapes.push_back(*output);
  }
  const Operation& last = topology.operations.back();
  return CheckLast(last, shapes.back()).WithContext("operation " + last.name);
}

std::vector<TensorShape> TensorShapes(const Topology& topology) {
  std::vector<TensorShape> shapes = {topology.input};
  shapes.reserve(topology.operations.size() + 1);
  for (const Operation& op : topology.operations) {
    shapes.push_back(OutputShape(op, shapes[static_cast<std::size_t>(op.input)]));
  }
  return shapes;
}

std::vector<int> LayerOperations(const Topology& topology) {
  std::vector<int> layers;
  for (int i = 0; i < topology.num_operations(); ++i) {
    if (HasWeights(topology.operations[static_cast<std::size_t>(i)])) layers.push_back(i);
  }
  return layers;
}

std::string TensorName(const Topology& topology, int tensor) {
  BITPILOT_CHECK(tensor >= 0 && tensor <= topology.num_operations());
  if (tensor == 0) return "input";
  return topology.operations[static_cast<std::size_t>(tensor - 1)].name;
}

std::int64_t WeightDepth(const Topology& topology, int operation) {
  BITPILOT_CHECK(operation >= 0 && operation < topology.num_operations());
  const Operation& op = topology.operations[static_cast<std::size_t>(operation)];
  BITPILOT_CHECK(HasWeights(op));
  return Depth(op, TensorShapes(topology)[static_cast<std::size_t>(op.input)]);
}

std::int64_t Macs(const Topology& topology, int operation) {
  BITPILOT_CHECK(operation >= 0 && operation < topology.num_operations());
  const Operation& op = topology.operations[static_cast<std::size_t>(operation)];
  if (!HasWeights(op)) return 0;
  const std::vector<TensorShape> shapes = TensorShapes(topology);
  return Depth(op, shapes[static_cast<std::size_t>(op.input)]) *
         shapes[static_cast<std::size_t>(operation) + 1].elements();
}

}  // namespace bitpilot
