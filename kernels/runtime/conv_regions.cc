#include "kernels/runtime/conv_regions.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace bitpilot {
namespace {

// Consecutive output rows (columns) and the filter rows (columns) that reach the image there.
struct Span {
  int begin = 0;
  int end = 0;
  int filter_begin = 0;
  int filter_end = 0;
};

// Splits an axis of `outputs` pixels into the longest spans.
std::vector<Span> SplitAxis(int outputs, int inputs, int filter, int stride, int padding) {
  std::vector<Span> spans;
  for (int i = 0; i < outputs; ++i) {
    const int first = i * stride - padding;  // Where the window begins, outside if negative.
    // A window of halo alone keeps a row of it: kernels take no empty filter.
    const int begin = std::clamp(-first, 0, filter - 1);
    const int end = std::clamp(inputs - first, begin + 1, filter);
    if (!spans.empty() && spans.back().filter_begin == begin && spans.back().filter_end == end) {
      ++spans.back().end;
    } else {
      spans.push_back({i, i + 1, begin, end});
    }
  }
  return spans;
}

}  // namespace

ConvRegion WholeRegion(const TensorShape& output, std::vector<DepthRun> runs) {
  return {.row_end = output.height, .column_end = output.width, .runs = std::move(runs)};
}

std::vector<ConvRegion> SplitByHalo(const ConvKernel& kernel, const Operation& convolution,
                                    const TensorShape& input, const ConvWindow& window,
                                    std::ptrdiff_t weight_bytes, int period,
                                    const ConvRegion& whole) {
  const Span all_columns = {0, whole.column_end, 0, window.filter_w};
  // A column must begin with a step.
  const bool splits_columns =
      kernel.skips_weights && window.pixel_bytes % kernel.format->elements_per_step == 0;
  const std::ptrdiff_t row_weight_bytes = weight_bytes / window.filter_h;
  std::vector<ConvRegion> regions;
  for (const Span& rows : SplitAxis(whole.row_end, input.height, window.filter_h,
                                    convolution.stride_h, convolution.padding.top)) {
    const bool whole_rows = rows.filter_end - rows.filter_begin == window.filter_h;
    for (const Span& columns : whole_rows&& splits_columns
                                   ? SplitAxis(whole.column_end, input.width, window.filter_w,
                                               convolution.stride_w, convolution.padding.left)
                                   : std::vector<Span>{all_columns}) {
      const FilterPart part = {rows.filter_begin, rows.filter_end, columns.filter_begin,
                               columns.filter_end};
      regions.push_back({.row_begin = rows.begin,
                         .row_end = rows.end,
                         .column_begin = columns.begin,
                         .column_end = columns.end,
                         .runs = kernel.format->part_runs(window, part, period),
                         .weight_offset = rows.filter_begin * row_weight_bytes,
                         .part = part});
    }
  }
  return regions;
}

}  // namespace bitpilot
