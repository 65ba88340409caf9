#include "kernels/runtime/conv_regions.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string_view>
#include <vector>

namespace bitpilot {
namespace {

// Null if this build has none of that name.
const ConvKernel* KernelNamed(std::string_view name) {
  const auto kernels = AllConvKernels();
  const auto found = std::find_if(kernels.begin(), kernels.end(),
                                  [name](const auto& k) { return k.name == name; });
  return found == kernels.end() ? nullptr : &*found;
}

struct Layer {
  int height = 8;
  int width = 8;
  int channels = 4;
  int filter = 3;
  int stride = 1;
  int padding = 1;

  int Output(int inputs) const { return (inputs + 2 * padding - filter) / stride + 1; }
};

std::vector<ConvRegion> Split(const Layer& layer, const ConvKernel& kernel) {
  const int padding = layer.padding;
  Operation convolution;
  convolution.kernel_h = convolution.kernel_w = layer.filter;
  convolution.stride_h = convolution.stride_w = layer.stride;
  convolution.padding = {padding, padding, padding, padding};
  const ConvWindow window = {.filter_h = layer.filter,
                             .filter_w = layer.filter,
                             .group_channels = layer.channels,
                             .pixel_bytes = layer.channels,
                             .row_bytes = layer.channels * (layer.width + 2 * padding)};
  const TensorShape input = {layer.height, layer.width, layer.channels};
  const ConvRegion whole =
      WholeRegion({layer.Output(layer.height), layer.Output(layer.width), 16}, {});
  const std::ptrdiff_t weight_bytes =
      std::ptrdiff_t{layer.filter} * layer.filter * 16 * layer.channels;
  return SplitByHalo(kernel, convolution, input, window, weight_bytes, 0, whole);
}

int NumSteps(const ConvRegion& region) {
  return std::accumulate(region.runs.begin(), region.runs.end(), 0,
                         [](int sum, const DepthRun& run) { return sum + run.num_steps; });
}

TEST(SplitByHaloTest, LeavesOutRowsAndColumnsOfZeros) {
  const ConvKernel* kernel = KernelNamed("conv_w4a4_i16_avx2");
  if (kernel == nullptr) GTEST_SKIP() << "this build has no AVX2 kernels, which leave out columns";
  const std::vector<ConvRegion> regions = Split({}, *kernel);
  ASSERT_EQ(regions.size(), 5U);  // Top row, left column, middle, right column, bottom row.
  // 4 channels are a step, so a filter of 3x3 has 9 of 64 bytes.
  EXPECT_EQ(NumSteps(regions[0]), 6);
  EXPECT_EQ(regions[0].weight_offset, 3 * 64);
  EXPECT_EQ(regions[0].part.row_begin, 1);
  EXPECT_EQ(regions[0].part.row_end, 3);
  EXPECT_EQ(regions[1].part.column_begin, 1);
  EXPECT_EQ(regions[1].part.column_end, 3);
  EXPECT_EQ(regions[0].column_end, 8);
  EXPECT_EQ(NumSteps(regions[1]), 6);
  EXPECT_EQ(regions[1].runs[0].skipped_steps, 1);
  EXPECT_EQ(regions[1].runs[0].offset, 4);
  EXPECT_EQ(regions[1].runs[1].skipped_steps, 1);
  EXPECT_EQ(NumSteps(regions[2]), 9);
  EXPECT_EQ(regions[2].row_begin, 1);
  EXPECT_EQ(regions[2].row_end, 7);
  EXPECT_EQ(regions[2].column_begin, 1);
  EXPECT_EQ(regions[2].column_end, 7);
  EXPECT_EQ(NumSteps(regions[3]), 6);
  EXPECT_EQ(regions[3].runs[0].skipped_steps, 0);
  EXPECT_EQ(regions[3].runs[1].skipped_steps, 1);
  EXPECT_EQ(NumSteps(regions[4]), 6);
  EXPECT_EQ(regions[4].weight_offset, 0);
}

TEST(SplitByHaloTest, SkipsNoColumnsForKernelsThatCannot) {
  const ConvKernel* kernel = KernelNamed("conv_w8a8_i21_scalar");
  ASSERT_NE(kernel, nullptr);
  const std::vector<ConvRegion> regions = Split({}, *kernel);
  ASSERT_EQ(regions.size(), 3U);
  for (const ConvRegion& region : regions) {
    EXPECT_EQ(region.column_begin, 0);
    EXPECT_EQ(region.column_end, 8);
    for (const DepthRun& run : region.runs) {
      EXPECT_EQ(run.skipped_steps, 0);
    }
  }
}

// Filters wider than the image, strides that pass over its edge, windows of halo alone.
TEST(SplitByHaloTest, CoversEveryPixelOnceWithAtLeastOneStep) {
  for (const ConvKernel& kernel : AllConvKernels()) {
    if (!kernel.format->splits_filter) continue;
    for (const Layer& layer : {Layer{.height = 1, .width = 1}, Layer{.height = 2, .stride = 2},
                               Layer{.height = 3, .width = 5, .filter = 7, .padding = 3},
                               Layer{.width = 2, .filter = 2, .padding = 3},
                               Layer{.filter = 5, .stride = 3, .padding = 4}}) {
      const int height = layer.Output(layer.height);
      const int width = layer.Output(layer.width);
      std::vector<int> covered(static_cast<std::size_t>(height * width));
      for (const ConvRegion& region : Split(layer, kernel)) {
        EXPECT_GT(NumSteps(region), 0) << kernel.name;
        EXPECT_EQ(region.runs.back().num_steps, 0) << kernel.name;
        for (int y = region.row_begin; y < region.row_end; ++y) {
          for (int x = region.column_begin; x < region.column_end; ++x) {
            ++covered[static_cast<std::size_t>(y * width + x)];
          }
        }
      }
      EXPECT_EQ(covered, std::vector<int>(covered.size(), 1)) << kernel.name;
    }
  }
}

}  // namespace
}  // namespace bitpilot
