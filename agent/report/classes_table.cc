// What each candidate costs on each of several classes of boards.
#include <algorithm>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/study/model_source.h"

namespace bitpilot {
namespace {

std::string ClassCell(const ClassFinal& one, std::size_t row) {
  const FinalRow& figures = one.rows[row];
  if (!figures.ratio || !figures.latency_median_ns) return Element("td", "", "not measured");
  const bool is_front =
      std::find(one.front.begin(), one.front.end(), static_cast<int>(row)) != one.front.end();
  const std::string board = figures.board.empty() ? "" : ", on " + figures.board;
  return "<td class=\"number\">" + FormatFixed(*figures.ratio, 3) + "\u00d7" +
         (is_front ? " <b>front</b>" : "") +
         Element("div", "interval-text",
                 FormatFixed(figures.ratio_low, 3) + " to " + FormatFixed(figures.ratio_high, 3) +
                     "; " + FormatLatency(*figures.latency_median_ns, *figures.latency_median_ns) +
                     board) +
         "</td>";
}

}  // namespace

std::string ClassesTable(const ReportData& data) {
  if (!data.final || data.final->classes.empty()) return "";
  const FinalEvent& final = *data.final;
  std::string html = "<div class=\"scroll\"><table><thead><tr><th>candidate</th>";
  for (const ClassFinal& one : final.classes) {
    const std::string source = ModelSourceOf(one.rows);
    html +=
        Element("th", "", "ratio to 8 bit on " + one.on + (source.empty() ? "" : ", " + source));
  }
  html += "</tr></thead><tbody>\n";
  for (std::size_t row = 0; row < final.rows.size(); ++row) {
    html += "<tr>" + Element("td", "", final.rows[row].label);
    for (const ClassFinal& one : final.classes) html += ClassCell(one, row);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>" +
         Element(
             "p", "sub",
             "A class's own front is that of what the search measured there; the results above are "
             "what the search's objective (--objective) makes of all classes.");
}

}  // namespace bitpilot
