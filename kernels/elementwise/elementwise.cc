#include "kernels/elementwise/elementwise.h"

#include <cstdlib>

#include "kernels/base/check.h"

namespace bitpilot {

#define BITPILOT_ELEMENTWISE_KERNELS(suffix, feature)                                              \
  void widen_codes_##suffix(const std::uint8_t* codes, std::size_t count, std::int16_t* words);    \
  void pack_planes_##suffix(const std::uint8_t* codes, std::ptrdiff_t num_pixels,                  \
                            std::ptrdiff_t pixel_bytes, int num_planes, std::uint8_t* planes,      \
                            std::ptrdiff_t plane_bytes);                                           \
  void build_parities_##suffix(const std::uint8_t* plane, std::ptrdiff_t count,                    \
                               std::ptrdiff_t distance, std::uint8_t* parities);                   \
  void build_tables_##suffix(const std::uint8_t* codes, std::size_t count, std::uint8_t* tables);  \
  void build_sign_tables_##suffix(const std::uint8_t* codes, std::ptrdiff_t num_pixels,            \
                                  std::ptrdiff_t pixel_bytes, int channels, std::uint8_t* tables); \
  void sum_channels_##suffix(const std::uint8_t* codes, std::ptrdiff_t num_pixels,                 \
                             std::ptrdiff_t pixel_bytes, int count, std::int32_t* sums);           \
  void sum_ahead_##suffix(std::int32_t* sums, std::ptrdiff_t count, std::ptrdiff_t distance,       \
                          int terms);                                                              \
  void sum_pixels_##suffix(const std::uint8_t* codes, int num_pixels, std::ptrdiff_t pixel_bytes,  \
                           int count, std::int32_t* sums);                                         \
  void max_windows_##suffix(const PoolWindows& windows, int channels, std::uint8_t* largest);      \
  void rescale_codes_##suffix(const std::uint8_t* codes, int num_pixels,                           \
                              std::ptrdiff_t pixel_bytes, const OutputArgs& output,                \
                              std::uint8_t* rescaled);                                             \
  void convert_pixels_##suffix(const std::uint8_t* const* planes, const std::uint8_t* tables,      \
                               int count, std::ptrdiff_t pixel_bytes, std::uint8_t* codes);
#include "kernels/elementwise/elementwise_kernels.inc"
#undef BITPILOT_ELEMENTWISE_KERNELS

namespace {

constexpr ElementwiseKernels kElementwiseKernels[] = {
#define BITPILOT_ELEMENTWISE_KERNELS(suffix, feature) \
  {#suffix,                                           \
   CpuFeature::feature,                               \
   widen_codes_##suffix,                              \
   pack_planes_##suffix,                              \
   build_parities_##suffix,                           \
   build_tables_##suffix,                             \
   build_sign_tables_##suffix,                        \
   sum_channels_##suffix,                             \
   sum_ahead_##suffix,                                \
   sum_pixels_##suffix,                               \
   max_windows_##suffix,                              \
   rescale_codes_##suffix,                            \
   convert_pixels_##suffix},
#include "kernels/elementwise/elementwise_kernels.inc"
#undef BITPILOT_ELEMENTWISE_KERNELS
};

}  // namespace

std::span<const ElementwiseKernels> AllElementwiseKernels() { return kElementwiseKernels; }

const ElementwiseKernels& SelectElementwiseKernels(Isa limit) {
  for (const ElementwiseKernels& kernels : kElementwiseKernels) {
    if (Allows(limit, kernels.features)) {
      return kernels;
    }
  }
  BITPILOT_CHECK(!"the scalar set is always allowed");
  std::abort();
}

}  // namespace bitpilot
