#include "kernels/conv.h"

#include "kernels/base/check.h"

namespace bitpilot {

#define BITPILOT_CONV_KERNEL(name, isa, max_w, max_a, operand, acc_bits) \
  void name(const ConvArgs& args, int row_begin, int row_end);
#include "kernels/conv_kernels.inc"
#undef BITPILOT_CONV_KERNEL

namespace {

constexpr ConvKernel kConvKernels[] = {
#define BITPILOT_CONV_KERNEL(name, isa, max_w, max_a, operand, acc_bits) \
  {#name, Isa::isa, max_w, max_a, ConvOperand::operand, acc_bits, name},
#include "kernels/conv_kernels.inc"
#undef BITPILOT_CONV_KERNEL
};

}  // namespace

std::span<const ConvKernel> AllConvKernels() { return kConvKernels; }

const ConvKernel& SelectConvKernel(Isa limit, int weight_bits, int activation_bits) {
  for (const ConvKernel& kernel : kConvKernels) {
    if (Allows(limit, kernel.isa) && weight_bits <= kernel.max_weight_bits &&
        activation_bits <= kernel.max_activation_bits) {
      return kernel;
    }
  }
  BITPILOT_CHECK(!"every width has a scalar kernel");
  std::abort();
}

}  // namespace bitpilot
