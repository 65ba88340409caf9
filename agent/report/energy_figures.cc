#include <algorithm>
#include <optional>
#include <string>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/marks.h"
#include "agent/report/pareto_plot.h"

namespace bitpilot {
namespace {

std::string NumberWithError(double value, double uncertainty, const std::string& unit) {
  const int digits = value >= 100 ? 1 : value >= 1 ? 2 : 4;
  return FormatFixed(value, digits) + " \u00b1 " + FormatFixed(uncertainty, digits) + " " + unit;
}

std::string FigureCell(const std::optional<EnergyFigure>& figure, const std::string& otherwise) {
  if (!figure) return Element("td", "number sub", otherwise);
  return Element("td", "number",
                 NumberWithError(figure->value_uj, figure->uncertainty_uj, "\u00b5J"));
}

std::string RowHead(const FinalRow& row) {
  return "<tr><th>" + MarkSwatch(MarkOf(row).css) + EscapeHtml(row.label) + "</th>";
}

std::string MeasuredRow(const FinalRow& row) {
  if (!row.energy) {
    const std::string& why =
        row.no_energy_reason.empty() ? row.no_figures_reason : row.no_energy_reason;
    return RowHead(row) + "<td colspan=\"4\" class=\"sub\">not measured: " + EscapeHtml(why) +
           "</td></tr>\n";
  }
  const MeasuredEnergy& energy = *row.energy;
  const std::string ratio =
      row.energy_ratio
          ? NumberWithError(row.energy_ratio->value, row.energy_ratio->uncertainty, "\u00d7")
          : "\u2013";
  return RowHead(row) + FigureCell(energy.gross(), "") +
         FigureCell(energy.net(), "idle power shifted") + Element("td", "number", ratio) +
         Element("td", "sub",
                 std::string(ToString(TierOf(energy.sensor()))) + " " + energy.source()) +
         "</tr>\n";
}

std::string MeasuredTable(const FinalEvent& final) {
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th>candidate</th><th>gross, an inference</th>"
      "<th>net of idle</th><th>gross ratio to 8 bit</th><th>measured by</th></tr></thead><tbody>\n";
  for (const FinalRow& row : final.rows) html += MeasuredRow(row);
  return html +
         "</tbody></table></div>\n<p class=\"caption\">Over windows of back-to-back inferences in "
         "a "
         "phase of its own; \u00b1 is the half-width of the 95 % interval: instrument, edges of "
         "the "
         "windows, and their scatter. Ratios are of windows of the same round, in which the "
         "instrument's scale error cancels; an offset does not. Gross is all that the source's "
         "scope drew; on a "
         "board that draws much when idle it ranks almost as latency does.</p>\n";
}

ParetoAxis MeasuredAxis(const ReportData& data) {
  const bool is_objective = data.problem->energy_objective == EnergyObjective::kMeasured;
  return {"Accuracy over measured energy of all candidates",
          "gross energy relative to uniform 8 bit, measured  (left needs less)",
          is_objective ? "max_energy_ratio" : "",
          [](const FinalRow& row) -> std::optional<RatioInterval> {
            if (!row.energy_ratio) return std::nullopt;
            const EnergyRatio& ratio = *row.energy_ratio;
            return RatioInterval{ratio.value, std::max(0.0, ratio.value - ratio.uncertainty),
                                 ratio.value + ratio.uncertainty};
          },
          [](const Transition& transition) { return transition.energy_ratio; }};
}

ParetoAxis ModelAxis(const ReportData& data) {
  const bool is_objective = data.problem->energy_objective == EnergyObjective::kModel;
  return {"Accuracy over the energy that a model claims",
          "energy relative to uniform 8 bit \u2014 MODEL, not measured  (left needs less)",
          is_objective ? "max_energy_ratio" : "",
          [](const FinalRow& row) -> std::optional<RatioInterval> {
            if (!row.model_energy_ratio) return std::nullopt;
            const double ratio = *row.model_energy_ratio;
            return RatioInterval{ratio, ratio, ratio};
          },
          [](const Transition& transition) { return transition.model_energy_ratio; }};
}

// Who claims it, and how sure a fitted model is of itself.
std::string ModelName(const FinalRow& row) {
  const ModelEnergy claimed{row.model_energy.value(), row.model_energy_unit,
                            row.model_energy_error};
  std::string name = std::string(ToString(claimed.tier())) + " " + row.source;
  if (claimed.relative_error) {
    name += ", \u00b1 " + FormatPercent(*claimed.relative_error, 1) + " of unseen networks";
  }
  return name;
}

std::string ModelTable(const FinalEvent& final) {
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th>candidate</th><th>energy <span "
      "class=\"model\">MODEL</span></th><th>ratio to 8 bit <span class=\"model\">MODEL</span></th>"
      "<th>claimed by</th></tr></thead><tbody>\n";
  for (const FinalRow& row : final.rows) {
    if (!row.model_energy) continue;
    html +=
        RowHead(row) +
        Element("td", "number", FormatFixed(*row.model_energy, 2) + " " + row.model_energy_unit) +
        Element("td", "number",
                row.model_energy_ratio ? FormatFixed(*row.model_energy_ratio, 3) + "\u00d7"
                                       : "\u2013") +
        Element("td", "sub", ModelName(row)) + "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

// The first reason that a board gave; empty if it measured or was not asked.
std::string ReasonForNone(const FinalEvent& final) {
  std::string reason;
  for (const FinalRow& row : final.rows) {
    if (row.energy) return "";
    if (reason.empty()) reason = row.no_energy_reason;
  }
  return reason;
}

}  // namespace

std::string MeasuredEnergies(const ReportData& data) {
  if (!data.final || !data.problem) return "";
  const auto measured = [](const FinalRow& row) { return row.energy.has_value(); };
  if (std::any_of(data.final->rows.begin(), data.final->rows.end(), measured)) {
    return MeasuredTable(*data.final) + "<figure>" + DrawPareto(data, MeasuredAxis(data)) +
           "</figure>\n";
  }
  const std::string reason = ReasonForNone(*data.final);
  return reason.empty() ? "" : Element("p", "sub", "No energy was measured: " + reason);
}

std::string ModelEnergies(const ReportData& data) {
  if (!data.final || !data.problem) return "";
  const auto claimed = [](const FinalRow& row) { return row.model_energy.has_value(); };
  if (!std::any_of(data.final->rows.begin(), data.final->rows.end(), claimed)) return "";
  return ModelTable(*data.final) + "<figure class=\"model-figure\">" +
         DrawPareto(data, ModelAxis(data)) +
         "<figcaption>A model's figures, in its own unit: comparable with each other, and with "
         "nothing that was measured.</figcaption></figure>\n";
}

}  // namespace bitpilot
