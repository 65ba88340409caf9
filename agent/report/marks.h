// How candidates are marked in every figure: one colour and one shape a role, so that colour is
// never needed alone.
#pragma once

#include <string>
#include <string_view>

#include "agent/report/svg.h"
#include "agent/study/final_event.h"

namespace bitpilot {

struct RowMark {
  std::string css;    // role: "uniform8" (square), "uniform4" (diamond), "ilp" (open triangle),
                      // "front" (disc)
  std::string label;  // short: "8 bit", "4 bit", "ILP", "1", "2", ...
};
RowMark MarkOf(const FinalRow& row);

// The mark of `css`, about 12 pixels wide. Unknown roles get a disc.
void DrawMark(Svg& svg, Point center, std::string_view css, std::string_view title);

// A small arrow at the edge of a plot: the value lies beyond, below (or above) it.
void DrawBeyond(Svg& svg, Point tip, bool below, std::string_view css, std::string_view title);

// The mark alone, as a legend shows it.
std::string MarkSwatch(std::string_view css);

}  // namespace bitpilot
