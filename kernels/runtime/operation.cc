#include "kernels/runtime/operation.h"

#include <algorithm>

#include "kernels/base/check.h"

namespace bitpilot {
namespace {

bool IsDepthwise(const Operation& operation, const TensorShape& input) {
  return operation.kind == OperationKind::kConvolution && operation.groups > 1 &&
         operation.groups == input.channels && operation.out_channels == input.channels;
}

}  // namespace

TensorShape OperationContext::output_shape() const {
  return TensorShapes(network.topology)[static_cast<std::size_t>(index) + 1];
}

std::string JoinKernelNames(const std::vector<std::string_view>& names) {
  std::string joined;
  for (auto name = names.begin(); name != names.end(); ++name) {
    if (std::find(names.begin(), name, *name) == name) {
      joined += joined.empty() ? "" : "+";
      joined += *name;
    }
  }
  return joined;
}

std::unique_ptr<BoundOperation> MakeOperation(const OperationContext& context) {
  switch (context.operation().kind) {
    case OperationKind::kConvolution:
      if (IsDepthwise(context.operation(), context.input().shape)) {
        return MakeDepthwiseOperation(context);
      }
      return MakeConvOperation(context);
    case OperationKind::kFullyConnected:
      return MakeConvOperation(context);
    case OperationKind::kAdd:
      return MakeAddOperation(context);
    case OperationKind::kAveragePool:
    case OperationKind::kMaxPool:
      return MakePoolOperation(context);
    case OperationKind::kSubsample:
      return MakeSubsampleOperation(context);
  }
  BITPILOT_CHECK(!"every kind has an operation");
  std::abort();
}

}  // namespace bitpilot
