// How the boards of a class were compared by the same networks, before they measured candidates.
#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

std::string BoardLine(const CalibrationEvent& event, const CalibratedBoard& board) {
  std::string html = "<tr>" + Element("td", "", event.on) + Element("td", "", board.board);
  if (board.agreement) {
    html += NumberCell(FormatFixed(board.agreement->factor, 3) + "\u00d7") +
            NumberCell(FormatPercent(board.agreement->residual, 2)) +
            NumberCell(FormatPercent(board.agreement->noise, 2));
  } else {
    html += NumberCell("\u2013") + NumberCell("\u2013") + NumberCell("\u2013");
  }
  return html + Element("td", board.is_pooled ? "" : "missed", DescribeCalibration(event, board)) +
         "</tr>\n";
}

}  // namespace

std::string CalibrationTable(const ReportData& data) {
  if (data.calibrations.empty()) return "";
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th>class</th><th>board</th><th>latency beside the "
      "reference board</th><th>scatter over the networks</th><th>of it noise</th><th>what that "
      "means</th></tr></thead><tbody>\n";
  for (const auto& [on, event] : data.calibrations) {
    for (const CalibratedBoard& board : event.boards) html += BoardLine(event, board);
  }
  return html + "</tbody></table></div>" +
         Element(
             "p", "sub",
             "Every board of a class measured the same networks, interleaved. One whose latencies "
             "are one multiple of the reference board's, with a standard deviation of at most " +
                 FormatPercent(kMaxResidual, 0) + " and no ratio to 8 bit more than " +
                 FormatPercent(kMaxRatioDifference, 0) +
                 " off, gives the same ratios to 8 bit and measures for its class.");
}

}  // namespace bitpilot
