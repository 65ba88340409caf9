// What formats share whose steps are consecutive elements of a window: their runs, and the weight of each element.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kernels/conv/conv_format.h"

namespace bitpilot {

// How a window is cut into steps.
struct StepRule {
  int elements = 4;     // Of a step.
  int input_bytes = 4;  // Of a step of the input's form.
  int tile_steps = 0;   // Runs are whole tiles of equal size, at most so many steps; 0: any number.
  int aligned_to = 1;   // Steps begin at multiples of so many channels.
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

std::vector<WindowSegment> WindowSegments(const ConvWindow& window, const StepRule& rule);

// Of all segments.
std::ptrdiff_t NumSteps(const ConvWindow& window, const StepRule& rule);
std::ptrdiff_t NumSteps(const WindowSegment& segment, const StepRule& rule);

// Runs of the whole filter; narrow accumulators widen after at most `period` steps. period 0: never.
// Ends with a run of 0 steps.
std::vector<DepthRun> PlanRuns(const ConvWindow& window, const StepRule& rule, int period);

// The same for a part of it. REQUIRES: window.all_channels.
std::vector<DepthRun> PlanPartRuns(const ConvWindow& window, const StepRule& rule,
                                   const FilterPart& part, int period);

// Of `runs`, one a filter row, those of a part's rows.
std::vector<DepthRun> RunsOfRows(std::vector<DepthRun> runs, const FilterPart& part);

// Elements of a channel's filter.
constexpr std::ptrdiff_t WindowDepth(const ConvWindow& window) {
  return static_cast<std::ptrdiff_t>(window.filter_h) * window.filter_w * window.group_channels;
}

// Weight of the segment's element, 0 where it is no channel of the group.
std::int8_t WeightAt(const ConvWindow& window, const WindowSegment& segment, std::ptrdiff_t element,
                     const std::int8_t* channel_codes);

// Calls f(step, element of the step, weight) for every place in a channel's steps.
template <class F>
void ForEachWeight(const ConvWindow& window, const StepRule& rule, const std::int8_t* channel_codes,
                   F f) {
  std::ptrdiff_t first_step = 0;
  for (const WindowSegment& segment : WindowSegments(window, rule)) {
    const std::ptrdiff_t num_steps = NumSteps(segment, rule);
    for (std::ptrdiff_t step = 0; step < num_steps; ++step) {
      for (int i = 0; i < rule.elements; ++i) {
        f(first_step + step, i, WeightAt(window, segment, step * rule.elements + i, channel_codes));
      }
    }
    first_step += num_steps;
  }
}

}  // namespace bitpilot
