#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/marks.h"
#include "agent/study/step_ids.h"
#include "kernels/base/number_text.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

// What the measurements of one tier have in common.
struct TierSummary {
  int ok = 0;
  int noisy = 0;
  int failed = 0;
  std::vector<double> windows;      // per measurement
  std::vector<double> half_widths;  // of the interval, relative to the median
  std::vector<double> cpu_shares;   // CPU time / wall time
  double worst_drift = 0.0;
  std::optional<double> highest_load;
};

void Add(const MeasurementRow& row, const MeasurementConditions& conditions, TierSummary& summary) {
  if (conditions.load_average) {
    summary.highest_load = std::max(summary.highest_load.value_or(0.0), *conditions.load_average);
  }
  if (!row.latency_median_ns) {
    ++summary.failed;
    return;
  }
  ++(row.status == "NOISY" ? summary.noisy : summary.ok);
  summary.windows.push_back(static_cast<double>(row.window_ns.size()));
  summary.half_widths.push_back((*row.latency_high_ns - *row.latency_low_ns) / 2 /
                                *row.latency_median_ns);
  if (!row.window_cpu_ns.empty() && !row.window_ns.empty()) {
    summary.cpu_shares.push_back(Median(row.window_cpu_ns) / Median(row.window_ns));
  }
  if (std::abs(conditions.drift) > std::abs(summary.worst_drift)) {
    summary.worst_drift = conditions.drift;
  }
}

std::string TierTable(const ReportData& data) {
  std::map<std::string, TierSummary> tiers;
  for (std::size_t i = 0; i < data.measurements.size(); ++i) {
    Add(data.measurements[i], data.conditions[i], tiers[data.measurements[i].tier]);
  }
  if (tiers.empty()) return "";
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th>tier</th><th>measurements</th><th>noisy</th>"
      "<th>failed</th><th>windows each</th><th>interval half-width, median</th>"
      "<th>largest drift</th><th>CPU time / wall time, lowest</th><th>highest load average</th>"
      "</tr></thead><tbody>\n";
  for (const auto& [tier, summary] : tiers) {
    const int measured = summary.ok + summary.noisy;
    const int all = measured + summary.failed;
    html += "<tr>" + Element("th", "", tier) + NumberCell(std::to_string(all)) +
            NumberCell(std::to_string(summary.noisy) + " (" +
                       FormatPercent(
                           measured > 0 ? static_cast<double>(summary.noisy) / measured : 0.0, 0) +
                       ")") +
            NumberCell(std::to_string(summary.failed)) +
            NumberCell(measured > 0 ? FormatFixed(Median(summary.windows), 0) : "\u2013") +
            NumberCell(measured > 0 ? FormatPercent(Median(summary.half_widths), 2) : "\u2013") +
            NumberCell(measured > 0 ? FormatPoints(summary.worst_drift, 2) + " %" : "\u2013") +
            NumberCell(summary.cpu_shares.empty()
                           ? "\u2013"
                           : FormatFixed(*std::min_element(summary.cpu_shares.begin(),
                                                           summary.cpu_shares.end()),
                                         3)) +
            NumberCell(summary.highest_load ? FormatFixed(*summary.highest_load, 2) : "\u2013") +
            "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

// Of a measurement's median window, as it was stored; 0 without windows.
double WindowLengthNs(const ReportData& data, std::size_t measurement) {
  const MeasurementRow& row = data.measurements[measurement];
  if (row.window_ns.empty()) return 0.0;
  return Median(row.window_ns) * data.conditions[measurement].inferences_per_window;
}

// An older bitpilotd measures again in equal windows. Doubled ones are not exactly twice as long: the
// board fits whole inferences into them, whose time the first measurement may not have met.
bool TookLongerWindows(const ReportData& data, std::size_t repeat) {
  const std::string step = StepIdOf(data.measurements[repeat].measurement_id);
  for (const std::string& id : {step, LongerStepId(step)}) {
    const auto before = data.measurement_by_id.find(id);
    if (before == data.measurement_by_id.end()) continue;
    if (data.measurements[before->second].tier != data.measurements[repeat].tier) continue;
    const double length_ns = WindowLengthNs(data, before->second);
    return length_ns > 0.0 && WindowLengthNs(data, repeat) > 1.5 * length_ns;
  }
  return false;
}

// What measuring candidates again because they were NOISY cost.
std::string RepeatsNote(const ReportData& data) {
  int repeats = 0;
  int longer = 0;
  double seconds = 0.0;
  for (std::size_t i = 0; i < data.measurements.size(); ++i) {
    if (!IsRepeatedStep(data.measurements[i].measurement_id)) continue;
    ++repeats;
    if (TookLongerWindows(data, i)) ++longer;
    seconds += 1e-3 * data.conditions[i].duration_ms;
  }
  if (repeats == 0) return "";
  const bool all = longer == repeats;
  return Element("p", "",
                 "Candidates that were noisy were measured again" +
                     std::string(all ? " in longer windows: " : ": ") + Counted(repeats, "time") +
                     ", " + FormatFixed(seconds, 1) + " s of the board" +
                     (all ? "." : "; " + std::to_string(longer) + " of them in longer windows."));
}

std::string FailuresTable(const ReportData& data) {
  int count = 0;
  std::string rows;
  for (const MeasurementRow& row : data.measurements) {
    if (row.status == "OK") continue;
    ++count;
    rows += "<tr>" + Element("td", "", row.measurement_id) + Element("td", "", row.tier) +
            Element("td", "missed", row.status) + Element("td", "", row.detail) + "</tr>\n";
  }
  if (count == 0) return "";
  return "<details><summary>Noisy and failed measurements: " + std::to_string(count) + " of " +
         std::to_string(data.measurements.size()) +
         "</summary><div class=\"scroll\"><table><thead><tr><th>measurement</th><th>tier</th>"
         "<th>status</th><th>detail</th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div></details>\n";
}

std::string KernelsTable(const ReportData& data) {
  if (!data.final) return "";
  std::map<std::string, std::map<std::size_t, int>> operations;  // [kernel][final row]
  for (std::size_t r = 0; r < data.final->rows.size(); ++r) {
    for (const std::string& kernel : data.final->rows[r].kernels) ++operations[kernel][r];
  }
  if (operations.empty()) return "";
  std::string html =
      "<h3>Kernels that ran, operations by candidate</h3><div "
      "class=\"scroll\"><table><thead><tr>"
      "<th>kernel</th>";
  for (const FinalRow& row : data.final->rows) {
    html +=
        "<th class=\"label " + MarkOf(row).css + "\">" + EscapeHtml(MarkOf(row).label) + "</th>";
  }
  html += "</tr></thead><tbody>\n";
  for (const auto& [kernel, counts] : operations) {
    html += "<tr>" + Element("th", "code", kernel);
    for (std::size_t r = 0; r < data.final->rows.size(); ++r) {
      const auto count = counts.find(r);
      html += NumberCell(count == counts.end() ? "\u00b7" : std::to_string(count->second));
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string ConditionsTables(const ReportData& data) {
  if (data.is_model()) {
    return Element(
               "p", "",
               "None: a table of costs answered. The outputs were checked on the machine below.") +
           FingerprintsTable(data) + FailuresTable(data);
  }
  return TierTable(data) + RepeatsNote(data) + FingerprintsTable(data) + FailuresTable(data) +
         KernelsTable(data);
}

}  // namespace bitpilot
