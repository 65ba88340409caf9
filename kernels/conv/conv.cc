#include "kernels/conv/conv.h"

#include "kernels/base/check.h"
#include "kernels/conv/conv_format.h"

namespace bitpilot {

#define BITPILOT_CONV_KERNEL(name, feature, max_w, max_a, max_products, depth, format, skips) \
  namespace conv_formats {                                                                    \
  extern const ConvFormat format;                                                             \
  }                                                                                           \
  void name(const ConvArgs& args, int row_begin, int row_end);
#include "kernels/conv/conv_kernels.inc"
#undef BITPILOT_CONV_KERNEL

namespace {

constexpr ConvKernel kConvKernels[] = {
#define BITPILOT_CONV_KERNEL(name, feature, max_w, max_a, max_products, depth, format, skips) \
  {#name, CpuFeature::feature,   max_w, max_a, max_products,                                  \
   depth, &conv_formats::format, skips, name},
#include "kernels/conv/conv_kernels.inc"
#undef BITPILOT_CONV_KERNEL
};

}  // namespace

std::span<const ConvKernel> AllConvKernels() { return kConvKernels; }

const ConvKernel& SelectConvKernel(Isa limit, int weight_bits, int activation_bits,
                                   std::ptrdiff_t depth, std::int64_t output_pixels) {
  for (const ConvKernel& kernel : kConvKernels) {
    const int product = kernel.format->bit_products(weight_bits, activation_bits);
    if (Allows(limit, kernel.features) && kernel.format->SuitsPixels(output_pixels) &&
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
