#include "agent/report/pareto_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/marks.h"
#include "agent/report/report_config.h"
#include "agent/report/svg.h"

namespace bitpilot {
namespace {

constexpr int kWidth = 1032;
constexpr int kHeight = 500;
constexpr double kLeft = 74;
constexpr double kRight = kWidth - 26;
constexpr double kTop = 16;
constexpr double kBottom = kHeight - 58;

struct Range {
  double low = 0.0;
  double high = 0.0;
  void Include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  double span() const { return high - low; }
};

struct Box {
  Point corner;
  double width = 0.0;
  double height = 0.0;
};

double Overlap(const Box& a, const Box& b) {
  const double w =
      std::min(a.corner.x + a.width, b.corner.x + b.width) - std::max(a.corner.x, b.corner.x);
  const double h =
      std::min(a.corner.y + a.height, b.corner.y + b.height) - std::max(a.corner.y, b.corner.y);
  return w > 0 && h > 0 ? w * h : 0.0;
}

// Puts labels where they cover least of what is drawn already.
class LabelPlacer {
 public:
  void AddObstacle(const Box& box) { taken_.push_back(box); }

  // Returns the label's baseline start for a mark at `center`.
  Point Place(Point center, std::string_view text) {
    const double width = 7.2 * static_cast<double>(text.size()) + 2;
    constexpr double kTextHeight = 13;
    const std::array<Point, 8> corners = {{{center.x + 10, center.y - 17},
                                           {center.x + 10, center.y + 4},
                                           {center.x - 10 - width, center.y - 17},
                                           {center.x - 10 - width, center.y + 4},
                                           {center.x + 14, center.y - 6},
                                           {center.x - 14 - width, center.y - 6},
                                           {center.x - width / 2, center.y - 26},
                                           {center.x - width / 2, center.y + 13}}};
    Box best{corners[0], width, kTextHeight};
    double best_cost = 1e300;
    for (const Point& corner : corners) {
      const Box box{corner, width, kTextHeight};
      double cost = 0.0;
      for (const Box& other : taken_) cost += Overlap(box, other);
      const Box inside{{kLeft, kTop}, kRight - kLeft, kBottom - kTop};
      cost += 10.0 * (width * kTextHeight - Overlap(box, inside));
      if (cost < best_cost) {
        best_cost = cost;
        best = box;
      }
    }
    constexpr double kAir = 6;  // Two labels that touch read as one.
    taken_.push_back({{best.corner.x - kAir, best.corner.y}, width + 2 * kAir, kTextHeight});
    return {best.corner.x, best.corner.y + 11};
  }

 private:
  std::vector<Box> taken_;
};

class ParetoDrawing {
 public:
  ParetoDrawing(const ReportData& data, const ParetoAxis& axis)
      : data_(data), axis_(axis), svg_(kWidth, kHeight, axis.name) {
    if (data.final) {
      for (const FinalRow& row : data.final->rows) {
        if (const std::optional<RatioInterval> cost = axis.of_row(row))
          rows_.push_back({&row, *cost});
      }
    }
    ChooseAxes();
  }

  std::string Draw() {
    DrawGrid();
    DrawReferences();
    DrawSearched();
    DrawIntervals();
    DrawFront();
    DrawRows();
    return svg_.Finish();
  }

 private:
  // A final candidate and what it costs.
  struct Row {
    const FinalRow* row;
    RatioInterval cost;
    const FinalRow* operator->() const { return row; }
  };

  void ChooseAxes() {
    Range x{1.0, 1.0};
    Range all{data_.uniform8_accuracy(), data_.uniform8_accuracy()};
    for (const TransitionEvent& event : data_.transitions) {
      const std::optional<double> cost = axis_.of_step(event.transition);
      if (!cost) continue;
      x.Include(*cost);
      all.Include(event.transition.accuracy);
    }
    Range core = all;  // what must be seen well
    if (!rows_.empty()) core = {rows_[0]->accuracy_low, rows_[0]->accuracy_high};
    for (const Row& row : rows_) {
      x.Include(row.cost.low);
      x.Include(row.cost.high);
      all.Include(row->accuracy_low);
      all.Include(row->accuracy_high);
      if (IsReference(row->role)) continue;
      core.Include(row->accuracy_low);
      core.Include(row->accuracy_high);
    }
    // Hopeless candidates would squeeze the interesting ones: they are marked at the lower edge
    // instead.
    const double floor = core.low - std::max(core.span(), 0.01);
    const Range y{std::max(all.low, floor), all.high};
    const double x_pad = std::max(0.05 * x.span(), 0.01);
    const double y_pad = std::max(0.06 * y.span(), 0.002);
    x_ = {std::max(0.0, x.low - x_pad), x.high + x_pad, kLeft, kRight};
    y_ = {std::max(0.0, y.low - y_pad), std::min(1.0 + y_pad, y.high + y_pad), kBottom, kTop};
  }

  void DrawGrid() {
    const Ticks xs = RoundTicks(x_.low, x_.high, 8);
    for (const double value : xs.values) {
      svg_.Line({x_(value), kTop}, {x_(value), kBottom}, "grid");
      svg_.Text({x_(value), kBottom + 20}, FormatFixed(value, std::max(1, xs.digits)) + "\u00d7",
                "tick middle");
    }
    const Ticks ys = RoundTicks(y_.low, y_.high, 7);
    for (const double value : ys.values) {
      svg_.Line({kLeft, y_(value)}, {kRight, y_(value)}, "grid");
      svg_.Text({kLeft - 8, y_(value) + 4}, FormatPercent(value, std::max(0, ys.digits - 2)),
                "tick end");
    }
    svg_.Text({(kLeft + kRight) / 2, kHeight - 12.0}, axis_.title, "axis middle");
    svg_.Text({-(kTop + kBottom) / 2, 16}, "accuracy", "axis middle turned");
  }

  void DrawReferences() {
    labels_.AddObstacle({{x_(1.0) - 1, kTop}, 2, kBottom - kTop});
    svg_.Line({x_(1.0), kTop}, {x_(1.0), kBottom}, "reference");
    for (const Row& row : rows_) {
      if (MarkOf(*row.row).css != "uniform8") continue;
      svg_.Line({kLeft, y_(row->test_accuracy)}, {kRight, y_(row->test_accuracy)}, "reference");
    }
    const std::optional<double> cost =
        axis_.budget_key.empty() ? std::nullopt : ConfigNumber(data_, axis_.budget_key);
    if (cost && *cost >= x_.low && *cost <= x_.high) {
      svg_.Line({x_(*cost), kTop}, {x_(*cost), kBottom}, "budget");
      svg_.Text({x_(*cost) + 5, kBottom - 8}, "budget " + FormatFixed(*cost, 2) + "\u00d7", "note");
    }
    const std::optional<double> accuracy = ConfigNumber(data_, "min_accuracy");
    if (accuracy && *accuracy >= y_.low && *accuracy <= y_.high) {
      svg_.Line({kLeft, y_(*accuracy)}, {kRight, y_(*accuracy)}, "budget");
      svg_.Text({kRight - 4, y_(*accuracy) - 5},
                "budget " + FormatPercent(*accuracy, 1) + ", on validation", "note end");
    }
  }

  void DrawSearched() {
    for (const TransitionEvent& event : data_.transitions) {
      const std::optional<double> cost = axis_.of_step(event.transition);
      if (!cost) continue;
      const double accuracy = event.transition.accuracy;
      const std::string title = "step " + std::to_string(event.step + 1) + ": " +
                                FormatFixed(*cost, 3) + "\u00d7, validation " +
                                FormatPercent(accuracy, 1);
      Mark({x_(*cost), y_(accuracy)}, "searched", title);
    }
  }

  // A mark, or an arrow at the lower edge. Returns where it is.
  Point Mark(Point point, std::string_view css, std::string_view title) {
    if (point.y <= kBottom) {
      DrawMark(svg_, point, css, title);
      return point;
    }
    point.y = kBottom - 2;
    DrawBeyond(svg_, point, /*below=*/true, css, title);
    return {point.x, point.y - 5};
  }

  void DrawIntervals() {
    for (const Row& row : rows_) {
      const std::string css = "interval " + MarkOf(*row.row).css;
      const double y = y_(row->test_accuracy);
      if (y > kBottom) continue;
      const double bottom = std::min(y_(row->accuracy_low), kBottom);
      const double top = y_(row->accuracy_high);
      const double x = x_(row.cost.value);
      svg_.Line({x, bottom}, {x, top}, css);
      svg_.Line({x_(row.cost.low), y}, {x_(row.cost.high), y}, css);
      labels_.AddObstacle({{x - 1.5, top}, 3, bottom - top});
      labels_.AddObstacle({{x - 8, y - 8}, 16, 16});
    }
  }

  void DrawFront() {
    std::vector<Point> points;
    for (const Row& row : rows_) {
      if (row->role != FinalistRole::kFront) continue;
      points.push_back({x_(row.cost.value), std::min(y_(row->test_accuracy), kBottom)});
    }
    std::sort(points.begin(), points.end(),
              [](const Point& a, const Point& b) { return a.x < b.x; });
    constexpr int kPieces = 12;  // A slanted line covers less than the box around it.
    for (std::size_t i = 1; i < points.size(); ++i) {
      const Point step{(points[i].x - points[i - 1].x) / kPieces,
                       (points[i].y - points[i - 1].y) / kPieces};
      for (int piece = 0; piece < kPieces; ++piece) {
        const double top = points[i - 1].y + step.y * piece + std::min(step.y, 0.0);
        labels_.AddObstacle(
            {{points[i - 1].x + step.x * piece, top - 1}, step.x, std::abs(step.y) + 2});
      }
    }
    if (points.size() > 1) svg_.Path(points, "frontline");
  }

  void DrawRows() {
    for (const Row& row : rows_) {
      const RowMark mark = MarkOf(*row.row);
      const std::string title =
          row->label + ": " + FormatFixed(row.cost.value, 3) + "\u00d7 [" +
          FormatFixed(row.cost.low, 3) + ", " + FormatFixed(row.cost.high, 3) + "], test " +
          FormatPercent(row->test_accuracy, 2) + " [" + FormatPercent(row->accuracy_low, 2) + ", " +
          FormatPercent(row->accuracy_high, 2) + "], " + FormatBytes(row->weight_bytes);
      const Point at = Mark({x_(row.cost.value), y_(row->test_accuracy)}, mark.css, title);
      std::string label = mark.label;
      if (y_(row->test_accuracy) > kBottom) label += " " + FormatPercent(row->test_accuracy, 1);
      svg_.Text(labels_.Place(at, label), label, "label " + mark.css);
    }
  }

  const ReportData& data_;
  const ParetoAxis& axis_;
  Svg svg_;
  std::vector<Row> rows_;
  Axis x_;
  Axis y_;
  LabelPlacer labels_;
};

// Of the roles that the plot has.
std::string Legend(const ReportData& data) {
  std::map<std::string, std::string> roles;
  for (const FinalRow& row : data.final ? data.final->rows : std::vector<FinalRow>()) {
    if (!row.no_figures_reason.empty()) continue;  // has no mark
    const std::string css = MarkOf(row).css;
    roles[css] = css == "front" ? "found front, test accuracy"
                 : css == "ilp" ? "integer-program start"
                                : row.label;
  }
  roles["searched"] = "every candidate of the search, validation accuracy";
  std::string html = "<ul class=\"legend\">";
  for (const auto& [css, text] : roles) {
    html += "<li>" + MarkSwatch(css) + EscapeHtml(text) + "</li>";
  }
  return html + "</ul>";
}

}  // namespace

std::string DrawPareto(const ReportData& data, const ParetoAxis& axis) {
  return ParetoDrawing(data, axis).Draw() + Legend(data);
}

std::string ParetoPlot(const ReportData& data) {
  if (!data.problem) return "";
  const ParetoAxis latency{"Accuracy over latency of all candidates",
                           std::string("latency relative to uniform 8 bit") +
                               (data.is_model() ? " \u2014 MODEL, not measured" : "") +
                               "  (left is faster)",
                           "max_latency_ratio",
                           [](const FinalRow& row) -> std::optional<RatioInterval> {
                             if (!row.ratio) return std::nullopt;
                             return RatioInterval{*row.ratio, row.ratio_low, row.ratio_high};
                           },
                           [&data](const Transition& transition) -> std::optional<double> {
                             if (!transition.latency_ns) return std::nullopt;
                             return data.RatioOf(*transition.latency_ns);
                           }};
  return "<figure>" + DrawPareto(data, latency) +
         "<figcaption>Bars are 95 % intervals: Wilson's of the test accuracy, and of the median "
         "ratio over interleaved rounds. Arrows at the lower edge are candidates below the axis. "
         "Point at a mark for its numbers.</figcaption></figure>\n";
}

}  // namespace bitpilot
