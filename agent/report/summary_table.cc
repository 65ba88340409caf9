#include <algorithm>
#include <array>
#include <string>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/marks.h"
#include "agent/report/report_config.h"
#include "agent/study/chosen_rows.h"
#include "agent/study/comparison_parts.h"
#include "agent/study/model_source.h"
#include "agent/study/training_note.h"

namespace bitpilot {
namespace {

std::string Interval(const std::string& low, const std::string& high) {
  return " <span class=\"interval-text\">[" + EscapeHtml(low) + ", " + EscapeHtml(high) +
         "]</span>";
}

std::string Cell(const std::string& html) { return "<td class=\"number\">" + html + "</td>"; }

std::string AccuracyCells(const FinalRow& row, bool is_anchor) {
  if (!row.no_figures_reason.empty()) {
    return Cell("none" + Element("div", "interval-text", row.no_figures_reason)) + Cell("\u2013");
  }
  std::string text =
      FormatPercent(row.test_accuracy, 2) +
      Interval(FormatFixed(100 * row.accuracy_low, 2), FormatFixed(100 * row.accuracy_high, 2));
  if (row.validation_accuracy) {
    text +=
        Element("div", "interval-text", "validation " + FormatPercent(*row.validation_accuracy, 1));
  }
  std::string html = Cell(text);
  if (is_anchor) return html + Cell("\u2013");
  return html + Cell(FormatPoints(row.paired_difference, 2) +
                     Interval(FormatPoints(row.paired_low, 2), FormatPoints(row.paired_high, 2)));
}

// How many mini-batches the row's weights had had, and from which start.
std::string Training(const FinalRow& row) {
  const std::string text = DescribeTraining(row);
  return text.empty() ? "" : Element("div", "interval-text", text);
}

// " noisy" where the board said so: the number stands, but was disturbed.
std::string NoisyChip(const ReportData& data, const FinalRow& row) {
  const std::optional<std::size_t> index = data.MeasurementOf(row);
  if (!index || data.measurements[*index].status != "NOISY") return "";
  return " " + Element("span", "missed", "noisy");
}

// What the interleaved rounds allow to say of a row's speed; nothing of a model's.
std::string Claim(const ReportData& data, const FinalRow& row) {
  if (!row.speed) return "";
  std::string text(ToString(*row.speed));
  if (*row.speed == Speed::kNoDifference) text += " to 8 bit";
  std::string others;
  for (const int index : row.as_fast_as) {
    const FinalRow& other = data.final->rows.at(static_cast<std::size_t>(index));
    if (IsReference(other.role)) continue;
    others += (others.empty() ? "; not told apart from " : ", ") + other.label;
  }
  return Element("div", "interval-text", text + others);
}

// Nothing of several classes: their times are in a table of their own, each class's apart.
std::string LatencyCell(const ReportData& data, const FinalRow& row, double scale_ns) {
  if (!data.final->classes.empty()) return "";
  if (!row.latency_median_ns) return Cell("not measured");
  const std::string latency = FormatLatency(*row.latency_median_ns, scale_ns);
  if (data.is_model()) return Cell(latency);  // a claim has no interval
  return Cell(latency + NoisyChip(data, row) +
              Interval(FormatLatency(row.latency_low_ns, scale_ns),
                       FormatLatency(row.latency_high_ns, scale_ns)));
}

// The class that the ratio is of, where there are several; MODEL where that, or one of all, is a model.
std::string OfClass(const ReportData& data, const FinalRow& row) {
  if (data.final->classes.empty()) return "";
  const std::string model = IsModelRow(*data.final, row) ? "MODEL" : "";
  const std::string text = (row.on.empty() ? "" : "on " + row.on) +
                           (row.on.empty() || model.empty() ? "" : ", ") + model;
  return text.empty() ? "" : Element("div", "interval-text", text);
}

std::string RatioCell(const ReportData& data, const FinalRow& row) {
  if (!row.ratio) return Cell("\u2013");
  const std::string ratio = FormatFixed(*row.ratio, 3) + "\u00d7";
  if (data.is_model()) return Cell(ratio + OfClass(data, row));
  return Cell(ratio + Interval(FormatFixed(row.ratio_low, 3), FormatFixed(row.ratio_high, 3)) +
              OfClass(data, row) + Claim(data, row));
}

// The ratio on the full instruction set, "–" where it was not measured.
std::string FullIsaCell(const FullIsa& full_isa, int row) {
  for (const FullIsaRow& other : full_isa.rows) {
    if (other.row != row) continue;
    return Cell(FormatFixed(other.ratio, 3) + "\u00d7" + " <span class=\"interval-text\">" +
                FormatLatency(other.latency_median_ns, other.latency_median_ns) + "</span>");
  }
  return Cell("\u2013");
}

bool HasBudget(const ReportData& data) {
  const std::array<const char*, 4> keys = {"max_latency_ratio", "max_energy_ratio",
                                           "max_weight_bytes", "min_accuracy"};
  return std::any_of(keys.begin(), keys.end(),
                     [&](const char* key) { return ConfigNumber(data, key).has_value(); });
}

// References are there to compare with: they promise nothing. Nor does a row where nothing was asked.
std::string BudgetCell(const FinalRow& row, bool has_budget) {
  if (IsReference(row.role)) return Element("td", "sub", "reference");
  if (!has_budget) return Element("td", "sub", "none given");
  return row.budget_met ? Element("td", "", "met") : Element("td", "missed", "missed");
}

std::string Header(const ReportData& data) {
  const std::string model = data.is_model() ? " <span class=\"model\">MODEL</span>" : std::string();
  std::string html =
      "<thead><tr><th>candidate</th><th>test accuracy</th><th>difference to 8 bit, points</th>";
  if (data.final->classes.empty()) html += "<th>latency, median" + model + "</th>";
  html += "<th>ratio to 8 bit" + model + "</th><th>weights</th>";
  if (data.final->full_isa) {
    html += "<th>ratio on " + EscapeHtml(data.final->full_isa->isa) + "</th>";
  }
  return html + "<th>budget</th></tr></thead>\n";
}

// The column of the full instruction set has a measurement, and a verdict, of its own.
std::string FullIsaVerdict(const FinalEvent& final) {
  if (!final.full_isa || final.full_isa->measure_status != "NOISY") return "";
  return " The comparison on " + EscapeHtml(final.full_isa->isa) + " was " +
         Element("span", "missed", "noisy") + ": " + EscapeHtml(final.full_isa->measure_detail) +
         ".";
}

// A comparison is made again only if the one before was disturbed.
std::string Repetitions(const FinalEvent& final) {
  if (final.comparisons == 1) return "";
  return " The candidates were measured " + std::to_string(final.comparisons) +
         " times; all but the last were disturbed and are listed under the conditions.";
}

std::string Parts(const FinalEvent& final) {
  const std::string parts = DescribeParts(final);
  return parts.empty() ? "" : " For latencies, " + EscapeHtml(parts) + ".";
}

// Who is shown first, and who of the others is before it.
std::string Choice(const FinalEvent& final) {
  const std::string text = DescribeChoice(final);
  return text.empty() ? "" : " Chosen by validation images: " + EscapeHtml(text) + ".";
}

// Rows that are not trained alike must not be read as if they were.
std::string TrainingNote(const FinalEvent& final) {
  const std::string text = DescribeTraining(final);
  return text.empty() ? "" : " " + EscapeHtml(text);
}

std::string Readings(const FinalEvent& final) {
  if (final.test_readings == 1) return "";
  return " This search was extended: the test images were read " +
         std::to_string(final.test_readings) + " times.";
}

std::string MissingReference(const FinalEvent& final) {
  if (final.no_uniform4.empty()) return "";
  return " There is no uniform 4 bit: " + EscapeHtml(final.no_uniform4) + ".";
}

std::string Caption(const ReportData& data) {
  const std::string sizes = " Weights are packed at their own widths; kB = 1,000 B." +
                            MissingReference(*data.final) + Choice(*data.final) +
                            TrainingNote(*data.final) + Readings(*data.final);
  if (data.is_model()) {
    return "<p class=\"caption\">Brackets hold 95 % intervals: Wilson's for accuracies, the paired "
           "one on the same images for differences. Latencies are what the model claims." +
           sizes + "</p>\n";
  }
  return "<p class=\"caption\">Brackets hold 95 % intervals: Wilson's for accuracies, the paired "
         "one "
         "on the same images for differences, the exact one of the median for latencies and "
         "ratios. Latencies are wall time; ratios compare the CPU time of windows of the same "
         "interleaved rounds, in which other programs do not count; "
         "\u201cfaster\u201d and \u201cslower\u201d are said of pairs whose rounds differ at a "
         "level of 1 % for the whole table (sign test), by more than 1 %." +
         sizes + Parts(*data.final) + Repetitions(*data.final) + FullIsaVerdict(*data.final) +
         "</p>\n";
}

}  // namespace

std::string SummaryTable(const ReportData& data) {
  if (!data.final) return "";
  double scale_ns = 1.0;
  for (const FinalRow& row : data.final->rows) {
    scale_ns = std::max(scale_ns, row.latency_median_ns.value_or(0.0));
  }
  std::string html = "<div class=\"scroll\"><table class=\"summary\">" + Header(data) + "<tbody>\n";
  int index = 0;
  for (const FinalRow& row : data.final->rows) {
    const RowMark mark = MarkOf(row);
    html += "<tr><th>" + MarkSwatch(mark.css) + EscapeHtml(row.label) + Training(row) + "</th>" +
            AccuracyCells(row, mark.css == "uniform8") + LatencyCell(data, row, scale_ns) +
            RatioCell(data, row) + Cell(FormatBytes(row.weight_bytes));
    if (data.final->full_isa) html += FullIsaCell(*data.final->full_isa, index);
    html += BudgetCell(row, HasBudget(data)) + "</tr>\n";
    ++index;
  }
  return html + "</tbody></table></div>\n" + Caption(data);
}

}  // namespace bitpilot
