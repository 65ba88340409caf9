// From a layer's weights to what convolution kernels read: runs of input bytes and packed weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/base/network.h"
#include "kernels/conv/conv.h"
#include "kernels/cpu/aligned_buffer.h"

namespace bitpilot {

// A window of one channel group: filter [filter_h, filter_w] over `group_channels` channels of the
// input, from channel `first_channel` on.
struct ConvWindow {
  int filter_h = 1;
  int filter_w = 1;
  int first_channel = 0;
  int group_channels = 1;
  std::ptrdiff_t pixel_bytes = 0;  // Of the input tensor's byte layout.
  std::ptrdiff_t row_bytes = 0;
  bool all_channels = true;  // The group is the whole pixel: a filter row is one run.
  int stride_w = 1;
};

// Consecutive input elements of a window: filter row `y` from column `x` on.
struct WindowSegment {
  int y = 0;
  int x = 0;
  std::ptrdiff_t offset_bytes = 0;  // In the byte layout.
  std::ptrdiff_t num_elements = 0;
  std::ptrdiff_t num_foreign = 0;    // Elements at its begin that belong to other groups.
  std::ptrdiff_t skipped_steps = 0;  // Of packed weights that belong to none, in front of its own.
};

std::vector<WindowSegment> WindowSegments(const ConvWindow& window, ConvOperand operand);

// Input elements of one step.
constexpr int ElementsPerStep(ConvOperand operand) {
  switch (operand) {
    case ConvOperand::kWords:
      return 2;
    case ConvOperand::kTables:
      return 8;
    default:
      return 4;
  }
}

// Bytes of the input's form that one step reads, except of planes.
constexpr int InputStepBytes(ConvOperand operand) {
  return operand == ConvOperand::kTables ? 2 * kTableBytes : 4;
}

// Runs of all segments; narrow accumulators widen after at most `period` steps. period 0: never.
// Ends with a run of 0 steps.
std::vector<DepthRun> PlanRuns(std::span<const WindowSegment> segments, ConvOperand operand,
                               int period);

// The same for operands in planes, whose image has ceil(pixel_bytes / 8) bytes a pixel.
constexpr std::ptrdiff_t PlanePixelBytes(std::ptrdiff_t pixel_bytes) {
  return (pixel_bytes + 7) / 8;
}
std::vector<DepthRun> PlanPlaneRuns(const ConvWindow& window, ConvOperand operand);

// Whether words of planes are those of one pixel (ConvArgs::pairs_pixels): where a pixel has 16
// bits, and rows of a filter, which are one word or one triple then, would leave half of their last
// word of 32 empty.
constexpr bool PairsPixels(const ConvWindow& window, ConvOperand operand) {
  return operand == ConvOperand::kSignPlanes && window.all_channels && window.stride_w == 1 &&
         (window.filter_w == 1 || window.filter_w == kTripleSteps) &&
         PlanePixelBytes(window.pixel_bytes) == 2;
}

// The same for ConvOperand::kSignTables, whose image has this many bytes a pixel.
constexpr std::ptrdiff_t SignTablePixelBytes(std::ptrdiff_t pixel_bytes) {
  return (pixel_bytes + kSignTableChannels - 1) / kSignTableChannels * kSignTableBytes;
}
std::vector<DepthRun> PlanSignTableRuns(const ConvWindow& window);

// The runs of all filter rows for operands of which each row has as many.
std::vector<DepthRun> PlanRowRuns(const ConvWindow& window, ConvOperand operand);
constexpr bool HasRowRuns(ConvOperand operand) {
  return IsPlanes(operand) || operand == ConvOperand::kSignTables;
}

// Planes of `weight_bits` bits, the layout of ConvOperand::kPlanes64.
//
// REQUIRES: codes in [-2^(weight_bits - 1), 2^(weight_bits - 1) - 1]; -1 or 1 at 1 bit.
AlignedBuffer PackWeightPlanes(const ConvWindow& window, int weight_bits, const std::int8_t* codes,
                               int num_channels);

// Packs output channels [0, num_channels) whose codes are [num_channels, filter_h, filter_w,
// group_channels]: the layout of ConvOperand::kBytes, kWords and kTiles. Elements that are no input
// channel (padding of a pixel, the end of a run) and channels that fill up the last block get zero
// weights.
AlignedBuffer PackWeights(const ConvWindow& window, ConvOperand operand, const std::int8_t* codes,
                          int num_channels);

// The same for ConvOperand::kFields. Fields are added up modulo 2^64, so a negative one borrows
// from the next.
AlignedBuffer PackWeightFields(const ConvWindow& window, int field_bits, const std::int8_t* codes,
                               int num_channels);

// The same for ConvOperand::kDense8, kDense4 and kDense2.
AlignedBuffer PackDenseWeights(const ConvWindow& window, ConvOperand operand,
                               const std::int8_t* codes, int num_channels);

// The same for ConvOperand::kTables.
//
// REQUIRES: codes as for PackWeightPlanes(), weight_bits 1 or 2.
AlignedBuffer PackWeightSubsets(const ConvWindow& window, int weight_bits, const std::int8_t* codes,
                                int num_channels);

// Steps between which the kernel's accumulators need no widening, 0 for any number.
int WidenPeriod(const ConvKernel& kernel, int weight_bits, int activation_bits);

// Everything that a kernel reads but the input.
struct PackedConv {
  std::vector<DepthRun> runs;
  AlignedBuffer weights;
  // Of operands in planes and tables only: what ConvArgs has by these names.
  int weight_planes = 0;
  bool masks_planes = false;
  bool pairs_pixels = false;
  std::ptrdiff_t weight_plane_bytes = 0;
  std::ptrdiff_t parity_distance_bytes = 0;  // Between words of a triple; 0: there are none.
};

// Layouts of ConvOperand::kSignPlanes and kSignTables.
//
// REQUIRES: codes of magnitudes below 2^(weight_bits - 1), weight_bits at most 2 for tables; -1 or
// 1 at 1 bit.
PackedConv PackSignPlanes(const ConvWindow& window, int weight_bits, const std::int8_t* codes,
                          int num_channels);
PackedConv PackSignTables(const ConvWindow& window, int weight_bits, const std::int8_t* codes,
                          int num_channels);

// Runs and weights as `kernel` wants them, for codes of at most these widths.
PackedConv PackConv(const ConvKernel& kernel, const ConvWindow& window, int weight_bits,
                    int activation_bits, const std::int8_t* codes, int num_channels);

}  // namespace bitpilot
