#include "kernels/depthwise/depthwise.h"

#include "kernels/base/check.h"

namespace bitpilot {

#define BITPILOT_DEPTHWISE_KERNEL(name, feature, max_sum, taps) \
  void name(const DepthwiseArgs& args, int row_begin, int row_end);
#include "kernels/depthwise/depthwise_kernels.inc"
#undef BITPILOT_DEPTHWISE_KERNEL

namespace {

constexpr DepthwiseKernel kDepthwiseKernels[] = {
#define BITPILOT_DEPTHWISE_KERNEL(name, feature, max_sum, taps) \
  {#name, CpuFeature::feature, max_sum, TapOrder::taps, name},
#include "kernels/depthwise/depthwise_kernels.inc"
#undef BITPILOT_DEPTHWISE_KERNEL
};

}  // namespace

std::span<const DepthwiseKernel> AllDepthwiseKernels() { return kDepthwiseKernels; }

const DepthwiseKernel& SelectDepthwiseKernel(Isa limit, std::int64_t largest_sum) {
  for (const DepthwiseKernel& kernel : kDepthwiseKernels) {
    if (Allows(limit, kernel.features) && largest_sum <= kernel.max_sum) {
      return kernel;
    }
  }
  BITPILOT_CHECK(!"the scalar kernel holds every sum");
  std::abort();
}

}  // namespace bitpilot
