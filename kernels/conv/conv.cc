#include "kernels/conv/conv.h"

#include "kernels/base/check.h"

namespace bitpilot {

#define BITPILOT_CONV_KERNEL(name, isa, max_w, max_a, max_products, depth, operand, acc_bits) \
  void name(const ConvArgs& args, int row_begin, int row_end);
#include "kernels/conv/conv_kernels.inc"
#undef BITPILOT_CONV_KERNEL

namespace {

constexpr ConvKernel kConvKernels[] = {
#define BITPILOT_CONV_KERNEL(name, isa, max_w, max_a, max_products, depth, operand, acc_bits) \
  {#name, Isa::isa, max_w, max_a, ConvOperand::operand, max_products, depth, acc_bits, name},
#include "kernels/conv/conv_kernels.inc"
#undef BITPILOT_CONV_KERNEL
};

}  // namespace

std::span<const ConvKernel> AllConvKernels() { return kConvKernels; }

const ConvKernel& SelectConvKernel(Isa limit, int weight_bits, int activation_bits,
                                   std::ptrdiff_t depth, std::int64_t output_pixels) {
  for (const ConvKernel& kernel : kConvKernels) {
    const int product = BitProducts(kernel.operand, weight_bits, activation_bits);
    if (Allows(limit, kernel.isa) && SuitsPixels(kernel, output_pixels) &&
        weight_bits <= kernel.max_weight_bits && activation_bits <= kernel.max_activation_bits &&
        product <= kernel.max_bit_products &&
        depth >= static_cast<std::ptrdiff_t>(product - 1) * kernel.depth_per_product) {
      return kernel;
    }
  }
  BITPILOT_CHECK(!"every width has a scalar kernel");
  std::abort();
}

}  // namespace bitpilot
