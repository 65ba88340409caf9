#include <algorithm>
#include <string>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

constexpr double kInterval = 1.96;  // standard deviations in half a 95 % interval
constexpr char kNone[] = "\u2013";

std::string NoBoard(const DecisionOutcome& outcome) {
  std::string text = "no board";
  for (const ClassOutcome& each : outcome.classes) {
    const auto* away = std::get_if<BoardUnavailable>(&each.result);
    if (away == nullptr || !away->predicted_ratio) continue;
    text += (outcome.classes.size() == 1 ? ", " : ", " + each.on + " ") + "predicted " +
            FormatFixed(*away->predicted_ratio, 3) + "\u00d7";
  }
  return text;
}

std::string WhyNoLatency(const Decision& decision) {
  if (decision.outcome->diverged) return "training diverged";
  switch (decision.outcome->status) {
    case TransitionStatus::kRejected:
      return "rejected";
    case TransitionStatus::kUnavailable:
      return NoBoard(*decision.outcome);
    case TransitionStatus::kUnmeasured:
      return kNone;
    default:
      return "failed";
  }
}

std::string WithError(double value, double error, bool with_sign) {
  const std::string sign = with_sign && value >= 0 ? "+" : "";
  return sign + FormatFixed(value, 4) + " \u00b1 " + FormatFixed(kInterval * error, 4);
}

// What a policy that plans predicted of the loss, beside the loss that was read.
std::string ExpectedCell(const Decision& decision) {
  if (!decision.figures) return NumberCell(kNone);
  return NumberCell(WithError(decision.figures->predicted_loss, decision.figures->predicted_error,
                              /*with_sign=*/false));
}

std::string Optional(const std::optional<double>& value, int digits) {
  return value ? FormatFixed(*value, digits) : kNone;
}

std::string Latency(const Decision& decision) {
  const DecisionOutcome& outcome = *decision.outcome;
  if (!outcome.ratio) return WhyNoLatency(decision);
  std::string text = FormatFixed(*outcome.ratio, 3) + "\u00d7";
  if (outcome.ratio_high > 0.0) {
    text +=
        " [" + FormatFixed(outcome.ratio_low, 3) + ", " + FormatFixed(outcome.ratio_high, 3) + "]";
  }
  return text;
}

// Where the search went on, and what it kept.
std::string Fate(const Decision& decision) {
  std::string text = decision.outcome && decision.outcome->on_front ? "front" : "";
  if (decision.is_place) text += text.empty() ? "place" : ", place";
  return text.empty() ? kNone : text;
}

std::string Outcome(const Decision& decision) {
  const DecisionOutcome& outcome = *decision.outcome;
  const std::string excess =
      outcome.excess ? WithError(outcome.excess->mean, outcome.excess->error, /*with_sign=*/true)
                     : kNone;
  const std::string charge =
      outcome.charge ? WithError(outcome.charge->mean, outcome.charge->error, /*with_sign=*/true)
                     : kNone;
  return NumberCell(Optional(outcome.loss, 4)) + NumberCell(excess) + NumberCell(charge) +
         NumberCell(outcome.accuracy ? FormatPercent(*outcome.accuracy, 2) : kNone) +
         NumberCell(Latency(decision)) + NumberCell(Optional(outcome.reward, 4)) +
         NumberCell(Optional(outcome.train_loss, 4)) + Element("td", "", Fate(decision));
}

std::string NameOf(TicketId ticket) { return ticket == 0 ? "start" : "#" + std::to_string(ticket); }

std::string Row(const Decision& decision) {
  std::string html =
      "<tr>" + NumberCell(NameOf(decision.ticket)) +
      NumberCell(decision.step >= 0 ? std::to_string(decision.step + 1) : kNone) +
      NumberCell(NameOf(decision.from)) + NumberCell(std::to_string(decision.changes.size())) +
      NumberCell(std::to_string(decision.pace.batches)) +
      Element("td", "", decision.reason.empty() ? ToString(decision.kind) : decision.reason) +
      ExpectedCell(decision);
  return html + (decision.outcome ? Outcome(decision) : "<td colspan=\"8\">in progress</td>") +
         "</tr>\n";
}

}  // namespace

std::string StepsTable(const ReportData& data) {
  const std::vector<Decision>& decisions = data.episodes.decisions;
  if (decisions.empty()) return "";
  std::string html =
      "<details><summary>All " + Counted(static_cast<std::int64_t>(decisions.size()), "decision") +
      "</summary><div class=\"scroll\"><table><thead><tr><th>#</th>"
      "<th>step</th><th>from</th><th>widths changed</th><th>mini-batches</th>"
      "<th>why</th><th>loss expected</th><th>loss</th><th>excess over 8 bit</th>"
      "<th>charged</th><th>validation accuracy</th><th>ratio to 8 bit</th><th>reward</th>"
      "<th>training loss</th><th>became</th></tr></thead><tbody>\n";
  for (const Decision& decision : decisions) {
    if (decision.kind == Decision::Kind::kStop) continue;
    html += Row(decision);
  }
  return html +
         "</tbody></table></div><p class=\"caption\">\u00b1 is half of a 95 % interval. Excess is "
         "over the loss of uniform 8 bit that trained alone for as many mini-batches. Charged is "
         "the loss over 8 bit on the same weights, and over that which trained alone for the share "
         "of "
         "the mini-batches that were at these widths; the reward is made of it and of the ratio. "
         "\u201cFront\u201d: nothing measured before dominated it; "
         "\u201cplace\u201d: a later decision started from it.</p></details>\n";
}

}  // namespace bitpilot
