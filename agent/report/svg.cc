#include "agent/report/svg.h"

#include <array>
#include <charconv>
#include <cmath>

#include "agent/report/html.h"

namespace bitpilot {
namespace {

// A coordinate with at most two digits after the point.
std::string Pixels(double value) {
  std::array<char, 64> text{};
  const double rounded = std::isfinite(value) ? std::round(value * 100.0) / 100.0 : 0.0;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), rounded);
  return {text.data(), end.ptr};
}

std::string Attribute(std::string_view name, double value) {
  return " " + std::string(name) + "=\"" + Pixels(value) + "\"";
}

std::string PointList(std::span<const Point> points) {
  std::string list = " points=\"";
  for (const Point& point : points) list += Pixels(point.x) + "," + Pixels(point.y) + " ";
  return list + "\"";
}

}  // namespace

Ticks RoundTicks(double low, double high, int count) {
  const double raw = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10.0 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * 0.999) {
      step = factor * power;
      break;
    }
  }
  Ticks ticks;
  ticks.digits = std::max(0, static_cast<int>(-std::floor(std::log10(step) + 1e-9)));
  for (double i = std::ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i += 1.0) {
    ticks.values.push_back(i * step);
  }
  return ticks;
}

Svg::Svg(int width, int height, std::string_view label)
    : svg_("<svg role=\"img\" viewBox=\"0 0 " + std::to_string(width) + " " +
           std::to_string(height) + "\" width=\"" + std::to_string(width) + "\" aria-label=\"" +
           EscapeHtml(label) + "\">\n") {}

Svg& Svg::Shape(const std::string& start, std::string_view css, std::string_view title) {
  svg_ += start + " class=\"" + std::string(css) + "\"";
  if (title.empty()) {
    svg_ += "/>\n";
  } else {
    const std::string tag = start.substr(1, start.find(' ') - 1);
    svg_ += "><title>" + EscapeHtml(title) + "</title></" + tag + ">\n";
  }
  return *this;
}

Svg& Svg::Line(Point from, Point to, std::string_view css) {
  return Shape("<line" + Attribute("x1", from.x) + Attribute("y1", from.y) + Attribute("x2", to.x) +
                   Attribute("y2", to.y),
               css, "");
}

Svg& Svg::Path(std::span<const Point> points, std::string_view css) {
  return Shape("<polyline" + PointList(points), css, "");
}

Svg& Svg::Circle(Point center, double radius, std::string_view css, std::string_view title) {
  return Shape(
      "<circle" + Attribute("cx", center.x) + Attribute("cy", center.y) + Attribute("r", radius),
      css, title);
}

Svg& Svg::Polygon(std::span<const Point> corners, std::string_view css, std::string_view title) {
  return Shape("<polygon" + PointList(corners), css, title);
}

Svg& Svg::Rect(Point corner, double width, double height, std::string_view css,
               std::string_view title) {
  return Shape("<rect" + Attribute("x", corner.x) + Attribute("y", corner.y) +
                   Attribute("width", width) + Attribute("height", height),
               css, title);
}

Svg& Svg::Text(Point baseline, std::string_view text, std::string_view css) {
  svg_ += "<text" + Attribute("x", baseline.x) + Attribute("y", baseline.y) + " class=\"" +
          std::string(css) + "\">" + EscapeHtml(text) + "</text>\n";
  return *this;
}

std::string Svg::Finish() { return std::move(svg_) + "</svg>\n"; }

}  // namespace bitpilot
