#include "agent/report/marks.h"

#include <array>

namespace bitpilot {

RowMark MarkOf(const FinalRow& row) {
  switch (row.role) {
    case FinalistRole::kUniform8:
      return {"uniform8", "8 bit"};
    case FinalistRole::kUniform4:
      return {"uniform4", "4 bit"};
    case FinalistRole::kIntegerProgram:
      return {"ilp", "ILP"};
    case FinalistRole::kClassFront:
      return {"front", "c" + std::to_string(row.number)};
    case FinalistRole::kFront:
      break;
  }
  return {"front", std::to_string(row.number)};
}

void DrawMark(Svg& svg, Point center, std::string_view css, std::string_view title) {
  const auto [x, y] = center;
  const std::string mark = "mark " + std::string(css);
  if (css == "uniform8") {
    svg.Rect({x - 5.5, y - 5.5}, 11, 11, mark, title);
  } else if (css == "uniform4") {
    const std::array<Point, 4> corners = {{{x, y - 7.5}, {x + 7.5, y}, {x, y + 7.5}, {x - 7.5, y}}};
    svg.Polygon(corners, mark, title);
  } else if (css == "ilp") {
    const std::array<Point, 3> corners = {{{x, y - 8.5}, {x + 8.5, y + 6.5}, {x - 8.5, y + 6.5}}};
    svg.Polygon(corners, mark, title);
  } else {
    svg.Circle(center, css == "searched" ? 3.5 : 6, mark, title);
  }
}

void DrawBeyond(Svg& svg, Point tip, bool below, std::string_view css, std::string_view title) {
  const double back = below ? tip.y - 8 : tip.y + 8;
  const std::array<Point, 3> corners = {{tip, {tip.x - 5, back}, {tip.x + 5, back}}};
  svg.Polygon(corners, "mark " + std::string(css), title);
}

std::string MarkSwatch(std::string_view css) {
  Svg svg(22, 22, "");
  DrawMark(svg, {11, 11}, css, "");
  return svg.Finish();
}

}  // namespace bitpilot
