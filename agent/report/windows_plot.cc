#include <algorithm>
#include <cmath>
#include <vector>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/marks.h"
#include "agent/report/svg.h"

namespace bitpilot {
namespace {

constexpr int kWidth = 1032;
constexpr double kLeft = 130;
constexpr double kRight = kWidth - 230;
constexpr double kTop = 14;
constexpr double kRowHeight = 30;

struct Strip {
  const FinalRow* row = nullptr;
  const MeasurementRow* measurement = nullptr;
  double Deviation(double ns) const { return ns / *measurement->latency_median_ns - 1.0; }
};

std::vector<Strip> ReadStrips(const ReportData& data) {
  std::vector<Strip> strips;
  if (!data.final || data.is_model()) return strips;  // nobody timed a model
  for (const FinalRow& row : data.final->rows) {
    const std::optional<std::size_t> index = data.MeasurementOf(row);
    if (!index || !data.measurements[*index].latency_median_ns) continue;
    strips.push_back({&row, &data.measurements[*index]});
  }
  return strips;
}

// Wide enough for all but the wildest windows, which are marked at the edge.
double Reach(const std::vector<Strip>& strips) {
  std::vector<double> deviations;
  for (const Strip& strip : strips) {
    for (const double ns : strip.measurement->window_ns) {
      deviations.push_back(std::abs(strip.Deviation(ns)));
    }
  }
  if (deviations.empty()) return 0.005;
  std::sort(deviations.begin(), deviations.end());
  const double most = deviations[(deviations.size() - 1) * 97 / 100];
  return std::max(0.005, 1.15 * most);
}

void DrawStrip(Svg& svg, const Strip& strip, const Axis& x, double middle) {
  const MeasurementRow& measurement = *strip.measurement;
  const RowMark mark = MarkOf(*strip.row);
  const double low = std::max(x(strip.Deviation(*measurement.latency_low_ns)), kLeft);
  const double high = std::min(x(strip.Deviation(*measurement.latency_high_ns)), kRight);
  svg.Rect({low, middle - 10}, std::max(high - low, 1.0), 20, "band " + mark.css);
  for (std::size_t i = 0; i < measurement.window_ns.size(); ++i) {
    const double deviation = strip.Deviation(measurement.window_ns[i]);
    const double at = std::clamp(x(deviation), kLeft, kRight);
    const double spread =
        3.0 * (static_cast<double>(i % 5) - 2.0);  // Equal windows stay countable.
    const bool beyond = deviation < x.low || deviation > x.high;
    svg.Circle({at, middle + spread}, beyond ? 3.5 : 2.2,
               (beyond ? "window beyond " : "window ") + mark.css,
               "window " + std::to_string(i + 1) + ": " +
                   FormatLatency(measurement.window_ns[i], measurement.window_ns[i]) + ", " +
                   FormatPoints(deviation, 2) + " %");
  }
  svg.Line({x(0), middle - 12}, {x(0), middle + 12}, "median");
  svg.Text({kLeft - 12, middle + 4}, strip.row->label, "label end " + mark.css);
  const double half_width = (*measurement.latency_high_ns - *measurement.latency_low_ns) / 2 /
                            *measurement.latency_median_ns;
  svg.Text({kRight + 14, middle + 4},
           FormatLatency(*measurement.latency_median_ns, *measurement.latency_median_ns) +
               " \u00b1 " + FormatPercent(half_width, 2) +
               ", n = " + std::to_string(measurement.window_ns.size()) +
               (measurement.status == "NOISY" ? ", NOISY" : ""),
           "tick");
}

}  // namespace

std::string WindowsPlot(const ReportData& data) {
  const std::vector<Strip> strips = ReadStrips(data);
  if (strips.empty()) return "";
  const double bottom = kTop + kRowHeight * static_cast<double>(strips.size());
  const double reach = Reach(strips);
  const Axis x{-reach, reach, kLeft, kRight};
  Svg svg(kWidth, static_cast<int>(bottom) + 46, "Timing windows of the final measurements");
  const Ticks ticks = RoundTicks(100 * x.low, 100 * x.high, 6);
  for (const double percent : ticks.values) {
    svg.Line({x(percent / 100), kTop}, {x(percent / 100), bottom}, "grid");
    svg.Text({x(percent / 100), bottom + 18}, FormatPoints(percent / 100, ticks.digits) + " %",
             "tick middle");
  }
  double middle = kTop + kRowHeight / 2;
  for (const Strip& strip : strips) {
    DrawStrip(svg, strip, x, middle);
    middle += kRowHeight;
  }
  svg.Text({(kLeft + kRight) / 2, bottom + 38},
           "window mean, deviation from its candidate's median", "axis middle");
  return "<figure>" + svg.Finish() +
         "<figcaption>Each dot is one timing window of the final, interleaved measurement; none is "
         "left out. The band is the exact interval of the median.</figcaption></figure>\n";
}

}  // namespace bitpilot
