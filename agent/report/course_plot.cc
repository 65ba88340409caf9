#include <algorithm>
#include <array>
#include <vector>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/marks.h"
#include "agent/report/svg.h"
#include "policies/pareto.h"

namespace bitpilot {
namespace {

constexpr int kWidth = 1032;
constexpr double kLeft = 74;
constexpr double kRight = kWidth - 26;
constexpr double kPanelHeight = 120;
constexpr double kGap = 44;

struct Dot {
  double step = 0.0;  // 1, 2, ...
  double value = 0.0;
  bool on_front = false;  // of what was measured up to this step
  std::string title;
};

struct PanelSpec {
  std::string heading;
  bool percent = false;
  bool connected = false;           // a line with steps instead of dots
  std::optional<double> reference;  // of uniform 8 bit
};

std::string FormatValue(const PanelSpec& spec, double value, int digits) {
  return spec.percent ? FormatPercent(value, std::max(0, digits - 2)) : FormatFixed(value, digits);
}

// From the worst that matters to the best: single bad steps would flatten all others.
Axis ValueAxis(const std::vector<Dot>& dots, const PanelSpec& spec, double top) {
  std::vector<double> values;
  values.reserve(dots.size() + 1);
  for (const Dot& dot : dots) values.push_back(dot.value);
  if (spec.reference) values.push_back(*spec.reference);
  std::sort(values.begin(), values.end());
  const double median = values[values.size() / 2];
  const double high = values.back();
  double low = values.front();
  if (spec.percent) low = std::max(low, median - 4.0 * std::max(high - median, 0.01));
  const double pad = std::max(0.08 * (high - low), 0.002);
  return {low - pad, high + pad, top + kPanelHeight, top};
}

void DrawDots(Svg& svg, const std::vector<Dot>& dots, const Axis& x, const Axis& y) {
  for (const Dot& dot : dots) {
    const char* css = dot.on_front ? "front small" : "searched";
    const Point at{x(dot.step), y(dot.value)};
    if (dot.value < y.low) {
      DrawBeyond(svg, {at.x, y.pixel_low}, /*below=*/true, css, dot.title);
    } else {
      svg.Circle(at, 4, std::string("mark ") + css, dot.title);
    }
  }
}

void DrawSteps(Svg& svg, const std::vector<Dot>& dots, const Axis& x, const Axis& y) {
  std::vector<Point> points;
  for (const Dot& dot : dots) {
    if (!points.empty()) points.push_back({x(dot.step), points.back().y});
    points.push_back({x(dot.step), y(dot.value)});
  }
  svg.Path(points, "frontline");
  for (const Dot& dot : dots) {
    svg.Circle({x(dot.step), y(dot.value)}, 2.5, "mark front small", dot.title);
  }
}

void DrawPanel(Svg& svg, const PanelSpec& spec, const std::vector<Dot>& dots, const Axis& x,
               double top) {
  const Axis y = ValueAxis(dots, spec, top);
  svg.Text({kLeft, top - 9}, spec.heading, "heading");
  const Ticks ticks = RoundTicks(y.low, y.high, 3);
  for (const double value : ticks.values) {
    svg.Line({kLeft, y(value)}, {kRight, y(value)}, "grid");
    svg.Text({kLeft - 8, y(value) + 4}, FormatValue(spec, value, ticks.digits), "tick end");
  }
  if (spec.reference && *spec.reference >= y.low) {
    svg.Line({kLeft, y(*spec.reference)}, {kRight, y(*spec.reference)}, "reference");
    svg.Text({kRight - 2, y(*spec.reference) - 4}, "uniform 8 bit", "note end");
  }
  if (spec.connected) {
    DrawSteps(svg, dots, x, y);
  } else {
    DrawDots(svg, dots, x, y);
  }
}

struct Course {
  std::vector<Dot> hypervolume;
  std::vector<Dot> ratio;
  std::vector<Dot> accuracy;
  std::vector<double> failed;  // steps without a measurement
};

Course ReadCourse(const ReportData& data) {
  Course course;
  std::vector<Objectives> seen;
  for (const TransitionEvent& event : data.transitions) {
    const double step = event.step + 1.0;
    if (!event.transition.latency_ns) {
      course.failed.push_back(step);
      continue;
    }
    const double ratio = data.RatioOf(*event.transition.latency_ns);
    const double accuracy = event.transition.accuracy;
    seen.push_back({1.0 - accuracy, ratio});
    const bool on_front = std::none_of(seen.begin(), seen.end(), [&](const Objectives& other) {
      return Dominates(other, seen.back());
    });
    const double hypervolume = Hypervolume(seen);
    const std::string title = "step " + std::to_string(event.step + 1) + ": " +
                              FormatFixed(ratio, 3) + "\u00d7, validation " +
                              FormatPercent(accuracy, 1) + ", hypervolume so far " +
                              FormatFixed(hypervolume, 4);
    course.hypervolume.push_back({step, hypervolume, true, title});
    course.ratio.push_back({step, ratio, on_front, title});
    course.accuracy.push_back({step, accuracy, on_front, title});
  }
  return course;
}

}  // namespace

std::string CoursePlot(const ReportData& data) {
  if (!data.problem) return "";
  const Course course = ReadCourse(data);
  if (course.ratio.empty()) return Element("p", "", "Nothing was measured yet.");

  const double last_step = data.transitions.back().step + 1.0;
  const Axis x{0.5, std::max(last_step, 2.0) + 0.5, kLeft, kRight};
  const int height = static_cast<int>(3 * (kPanelHeight + kGap)) + 20;
  Svg svg(kWidth, height, "Course of the search");
  double top = 28;
  DrawPanel(svg,
            {"hypervolume of everything so far" + std::string(data.is_model() ? " (MODEL)" : ""),
             false, true, std::nullopt},
            course.hypervolume, x, top);
  top += kPanelHeight + kGap;
  DrawPanel(svg,
            {std::string("latency relative to uniform 8 bit") + (data.is_model() ? " (MODEL)" : ""),
             false, false, 1.0},
            course.ratio, x, top);
  top += kPanelHeight + kGap;
  DrawPanel(svg, {"validation accuracy", true, false, data.uniform8_accuracy()}, course.accuracy, x,
            top);

  const double bottom = top + kPanelHeight;
  for (const double step : RoundTicks(x.low, x.high, 12).values) {
    if (step != static_cast<int>(step)) continue;
    svg.Text({x(step), bottom + 18}, FormatFixed(step, 0), "tick middle");
  }
  for (const double step : course.failed) {
    svg.Text({x(step), bottom - 4}, "\u00d7", "label failed middle");
  }
  svg.Text({(kLeft + kRight) / 2, bottom + 36}, "step", "axis middle");
  return "<figure>" + svg.Finish() +
         "<figcaption>Dark dots were not dominated by anything measured before them. A \u00d7 "
         "marks "
         "a step without a measurement. Accuracies of steps that trained are read beside uniform 8 "
         "bit "
         "that trained alone for as long: early steps are not lower for being early.</figcaption>"
         "</figure>\n";
}

}  // namespace bitpilot
