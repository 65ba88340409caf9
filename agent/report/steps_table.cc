#include <map>
#include <string>

#include "agent/report/figures.h"
#include "agent/report/html.h"

namespace bitpilot {
namespace {

std::string WhyNoLatency(TransitionStatus status) {
  switch (status) {
    case TransitionStatus::kRejected:
      return "rejected";
    case TransitionStatus::kDiverged:
      return "training diverged";
    case TransitionStatus::kFailed:
    case TransitionStatus::kMeasured:
      break;
  }
  return "failed";
}

std::string Outcome(const ReportData& data, const TransitionEvent& event) {
  const Transition& transition = event.transition;
  std::string html;
  if (transition.latency_ns && data.problem) {
    html = NumberCell(FormatFixed(data.RatioOf(*transition.latency_ns), 3) + "\u00d7") +
           NumberCell(FormatLatency(*transition.latency_ns, *transition.latency_ns));
  } else {
    html = NumberCell(WhyNoLatency(transition.status)) + NumberCell("\u2013");
  }
  const bool evaluated = transition.status == TransitionStatus::kMeasured ||
                         transition.status == TransitionStatus::kFailed;
  return html + NumberCell(evaluated ? FormatPercent(transition.accuracy, 2) : "\u2013") +
         NumberCell(evaluated ? FormatFixed(transition.loss, 4) : "\u2013") +
         NumberCell(event.train_loss ? FormatFixed(*event.train_loss, 4) : "\u2013") +
         NumberCell(FormatBytes(transition.weight_bytes));
}

}  // namespace

std::string StepsTable(const ReportData& data) {
  if (data.proposals.empty()) return "";
  std::map<int, const TransitionEvent*> outcomes;
  for (const TransitionEvent& event : data.transitions) outcomes[event.step] = &event;

  std::string html = "<details><summary>All " + std::to_string(data.proposals.size()) +
                     " steps</summary><div class=\"scroll\"><table><thead><tr><th>step</th>"
                     "<th>why it was proposed</th><th>ratio to 8 bit</th><th>latency</th>"
                     "<th>validation accuracy</th><th>loss</th><th>training loss</th>"
                     "<th>weights</th></tr></thead><tbody>\n";
  for (const ProposalEvent& proposal : data.proposals) {
    html +=
        "<tr>" + NumberCell(std::to_string(proposal.step + 1)) + Element("td", "", proposal.reason);
    const auto outcome = outcomes.find(proposal.step);
    html += outcome == outcomes.end() ? "<td colspan=\"6\">in progress</td>"
                                      : Outcome(data, *outcome->second);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div></details>\n";
}

}  // namespace bitpilot
