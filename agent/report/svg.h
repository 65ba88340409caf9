// Svg and Axis: just enough to draw a plot as inline SVG. Colours and fonts come from the page's
// style sheet through class names; coordinates are pixels of the drawing.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitpilot {

struct Point {
  double x = 0.0;
  double y = 0.0;
};

// A linear scale from values to pixels.
struct Axis {
  double low = 0.0;  // value at pixel_low
  double high = 1.0;
  double pixel_low = 0.0;
  double pixel_high = 1.0;

  double operator()(double value) const {
    return pixel_low + (value - low) / (high - low) * (pixel_high - pixel_low);
  }
};

// About `count` round values in [low, high] (steps of 1, 2 or 5 times a power of ten), and the
// digits after the point that tell them apart.
//
// REQUIRES: low < high, both finite; count > 0.
struct Ticks {
  std::vector<double> values;
  int digits = 0;
};
Ticks RoundTicks(double low, double high, int count);

class Svg {
 public:
  // label: what the picture shows, for those who cannot see it.
  Svg(int width, int height, std::string_view label);

  // In each: css are class names; a title is shown while the pointer rests on the shape.
  Svg& Line(Point from, Point to, std::string_view css);
  Svg& Path(std::span<const Point> points, std::string_view css);  // an open polyline
  Svg& Circle(Point center, double radius, std::string_view css, std::string_view title = "");
  Svg& Polygon(std::span<const Point> corners, std::string_view css, std::string_view title = "");
  Svg& Rect(Point corner, double width, double height, std::string_view css,
            std::string_view title = "");
  Svg& Text(Point baseline, std::string_view text, std::string_view css);

  // The whole element. The object must not be used again.
  std::string Finish();

 private:
  // Attributes end with the class; `title` becomes a child element.
  Svg& Shape(const std::string& start, std::string_view css, std::string_view title);

  std::string svg_;
};

}  // namespace bitpilot
