#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/marks.h"
#include "agent/report/svg.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

constexpr double kCellWidth = 42;
constexpr double kCellHeight = 20;
constexpr double kHeader = 26;

// One candidate's cells of a panel: per row, runs of (channels, bits); tensors have one run.
using Runs = std::vector<std::pair<int, int>>;
struct Column {
  RowMark mark;
  std::string label;
  std::vector<Runs> cells;
};

// Runs of one entry of an assignment: a number, or [[channels, bits], ...]. Empty if it is neither.
Runs ReadRuns(const Json& entry) {
  if (entry.is_number_integer()) return {{1, entry.get<int>()}};
  Runs runs;
  if (!entry.is_array()) return runs;
  for (const Json& run : entry) {
    if (!run.is_array() || run.size() != 2 || !run[0].is_number_integer() ||
        !run[1].is_number_integer()) {
      return {};
    }
    runs.emplace_back(run[0].get<int>(), run[1].get<int>());
  }
  return runs;
}

std::vector<Column> ReadColumns(const FinalEvent& final, const char* key) {
  std::vector<Column> columns;
  for (const FinalRow& row : final.rows) {
    const Json assignment = Json::parse(row.assignment, nullptr, /*allow_exceptions=*/false);
    if (!assignment.is_object() || !assignment.contains(key)) continue;
    Column& column = columns.emplace_back();
    column.mark = MarkOf(row);
    column.label = row.label;
    for (const Json& entry : assignment[key]) column.cells.push_back(ReadRuns(entry));
  }
  return columns;
}

// "4", or the mean of several runs: "3.2".
std::string MeanBits(const Runs& runs) {
  if (runs.size() == 1) return std::to_string(runs[0].second);
  double channels = 0;
  double bits = 0;
  for (const auto& [count, width] : runs) {
    channels += count;
    bits += static_cast<double>(count) * width;
  }
  return channels > 0 ? FormatFixed(bits / channels, 1) : "?";
}

std::string BitsClass(int bits) { return "bits" + std::to_string(std::clamp(bits, 0, 8)); }

void DrawCell(Svg& svg, Point corner, const Runs& runs, const std::string& name,
              const std::string& label) {
  double channels = 0;
  std::string title = name + ", " + label + ":";
  for (const auto& [count, bits] : runs) {
    channels += count;
    title += runs.size() == 1 ? " " + Counted(bits, "bit")
                              : " " + Counted(count, "channel") + " x " + Counted(bits, "bit");
  }
  double x = corner.x;
  double widest = 0.0;
  Point text{corner.x + (kCellWidth - 2) / 2, corner.y + 13};
  int shade = 0;  // under the text, which stands in the widest run
  for (const auto& [count, bits] : runs) {
    const double width = channels > 0 ? (kCellWidth - 2) * count / channels : 0.0;
    svg.Rect({x, corner.y}, width, kCellHeight - 2, BitsClass(bits), title);
    if (width > widest) {
      widest = width;
      text.x = x + width / 2;
      shade = bits;
    }
    x += width;
  }
  svg.Text(text, runs.empty() ? "?" : MeanBits(runs), "cell middle on" + BitsClass(shade));
}

std::string Panel(const std::string& heading, const std::vector<std::string>& names,
                  const std::vector<Column>& columns) {
  std::size_t longest = 4;
  for (const std::string& name : names) longest = std::max(longest, name.size());
  const double left = 7.0 * static_cast<double>(std::min<std::size_t>(longest, 36)) + 10;
  const double width = left + kCellWidth * static_cast<double>(columns.size());
  const double height = kHeader + kCellHeight * static_cast<double>(names.size()) + 2;
  Svg svg(static_cast<int>(width), static_cast<int>(height), heading);
  for (std::size_t c = 0; c < columns.size(); ++c) {
    const double x = left + kCellWidth * static_cast<double>(c);
    svg.Text({x + (kCellWidth - 2) / 2, kHeader - 9}, columns[c].mark.label,
             "label middle " + columns[c].mark.css);
  }
  for (std::size_t r = 0; r < names.size(); ++r) {
    const double y = kHeader + kCellHeight * static_cast<double>(r);
    svg.Text({left - 8, y + 13}, names[r], "tick end");
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const Column& column = columns[c];
      DrawCell(svg, {left + kCellWidth * static_cast<double>(c), y},
               r < column.cells.size() ? column.cells[r] : Runs(), names[r], column.label);
    }
  }
  return "<figure class=\"panel\">" + Element("h3", "", heading) + svg.Finish() + "</figure>";
}

std::string Scale() {
  Svg svg(330, 24, "Colours of 1 to 8 bits");
  for (int bits = 1; bits <= 8; ++bits) {
    const double x = 30.0 * (bits - 1);
    svg.Rect({x, 2}, 28, 18, BitsClass(bits));
    svg.Text({x + 14, 15}, std::to_string(bits), "cell middle on" + BitsClass(bits));
  }
  svg.Text({246, 15}, "bits", "tick");
  return svg.Finish();
}

// Each candidate's widths as a file that --bits takes.
std::string BitsFiles(const ReportData& data) {
  std::string html;
  for (const FinalRow& row : data.final->rows) {
    Json assignment = Json::parse(row.assignment, nullptr, /*allow_exceptions=*/false);
    if (!assignment.is_object()) continue;
    assignment["activation_names"] = data.problem->tensors;
    html += "<p>" + EscapeHtml(row.label) + "</p>" +
            Element("pre", "", assignment.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  return "<details><summary>The same as files for <code>bitpilot evaluate --bits</code></summary>" +
         html + "</details>\n";
}

}  // namespace

std::string BitsMaps(const ReportData& data) {
  if (!data.final || !data.problem) return "";
  return Scale() + "<div class=\"panels\">" +
         Panel("Weights, by layer", data.problem->layers, ReadColumns(*data.final, "weight_bits")) +
         Panel("Activations, by stored tensor", data.problem->tensors,
               ReadColumns(*data.final, "activation_bits")) +
         "</div>\n<p class=\"caption\">A cell of several shades has channel groups; its number is "
         "the "
         "mean over the channels. Point at a cell for the runs.</p>\n" +
         BitsFiles(data);
}

}  // namespace bitpilot
