#include "kernels/conv/conv_steps.h"

#include <algorithm>
#include <limits>
#include <span>

namespace bitpilot {
namespace {

std::vector<DepthRun> PlanSegments(std::span<const WindowSegment> segments, const StepRule& rule,
                                   int period) {
  const std::ptrdiff_t limit = period > 0 ? period : std::numeric_limits<std::int32_t>::max();
  std::vector<DepthRun> runs;
  std::ptrdiff_t budget = limit;
  for (const WindowSegment& segment : segments) {
    std::ptrdiff_t offset = segment.offset_bytes * rule.input_bytes / rule.elements;
    auto skipped = static_cast<std::int32_t>(segment.skipped_steps);
    for (std::ptrdiff_t left = NumSteps(segment, rule); left > 0; skipped = 0) {
      const std::ptrdiff_t steps = std::min(left, budget);
      runs.push_back(
          {static_cast<std::int32_t>(offset), static_cast<std::int32_t>(steps), skipped, false});
      offset += rule.input_bytes * steps;
      left -= steps;
      budget -= steps;
      if (budget == 0) {
        runs.back().widen = true;
        budget = limit;
      }
    }
  }
  runs.back().widen = false;  // A kernel widens at the end in any case.
  runs.push_back({});
  return runs;
}

}  // namespace

std::vector<WindowSegment> WindowSegments(const ConvWindow& window, const StepRule& rule) {
  const int num_foreign = window.first_channel % rule.aligned_to;
  std::vector<WindowSegment> segments;
  for (int y = 0; y < window.filter_h; ++y) {
    const std::ptrdiff_t row = y * window.row_bytes;
    if (window.all_channels) {
      segments.push_back(
          {.y = y, .offset_bytes = row, .num_elements = window.filter_w * window.pixel_bytes});
      continue;
    }
    for (int x = 0; x < window.filter_w; ++x) {
      segments.push_back(
          {.y = y,
           .x = x,
           .offset_bytes = row + x * window.pixel_bytes + window.first_channel - num_foreign,
           .num_elements = window.group_channels + num_foreign,
           .num_foreign = num_foreign});
    }
  }
  return segments;
}

std::ptrdiff_t NumSteps(const WindowSegment& segment, const StepRule& rule) {
  const std::ptrdiff_t steps = (segment.num_elements + rule.elements - 1) / rule.elements;
  if (rule.tile_steps > 0) {
    const std::ptrdiff_t tiles = (steps + rule.tile_steps - 1) / rule.tile_steps;
    return tiles * ((steps + tiles - 1) / tiles);
  }
  return steps;
}

std::ptrdiff_t NumSteps(const ConvWindow& window, const StepRule& rule) {
  std::ptrdiff_t steps = 0;
  for (const WindowSegment& segment : WindowSegments(window, rule)) {
    steps += NumSteps(segment, rule);
  }
  return steps;
}

std::vector<DepthRun> PlanRuns(const ConvWindow& window, const StepRule& rule, int period) {
  return PlanSegments(WindowSegments(window, rule), rule, period);
}

std::vector<DepthRun> PlanPartRuns(const ConvWindow& window, const StepRule& rule,
                                   const FilterPart& part, int period) {
  const std::ptrdiff_t steps_per_column = window.pixel_bytes / rule.elements;
  std::vector<WindowSegment> segments;
  for (int y = part.row_begin; y < part.row_end; ++y) {
    const int skipped_columns =
        part.column_begin + (y > part.row_begin ? window.filter_w - part.column_end : 0);
    segments.push_back(
        {.y = y,
         .x = part.column_begin,
         .offset_bytes = y * window.row_bytes + part.column_begin * window.pixel_bytes,
         .num_elements = (part.column_end - part.column_begin) * window.pixel_bytes,
         .skipped_steps = skipped_columns * steps_per_column});
  }
  return PlanSegments(segments, rule, period);
}

std::vector<DepthRun> RunsOfRows(std::vector<DepthRun> runs, const FilterPart& part) {
  runs.erase(runs.begin() + part.row_end, runs.end() - 1);
  runs.erase(runs.begin(), runs.begin() + part.row_begin);
  return runs;
}

std::int8_t WeightAt(const ConvWindow& window, const WindowSegment& segment, std::ptrdiff_t element,
                     const std::int8_t* channel_codes) {
  if (element >= segment.num_elements) {
    return 0;
  }
  const std::ptrdiff_t x = segment.x + element / window.pixel_bytes;
  const std::ptrdiff_t channel = element % window.pixel_bytes - segment.num_foreign;
  if (channel < 0 || channel >= window.group_channels) {
    return 0;
  }
  return channel_codes[(segment.y * window.filter_w + x) * window.group_channels + channel];
}

}  // namespace bitpilot
