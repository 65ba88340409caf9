#include "agent/report/report.h"

#include <algorithm>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/report_config.h"
#include "agent/report/report_data.h"
#include "agent/report/report_style.h"
#include "agent/study/chosen_rows.h"
#include "kernels/base/file_io.h"
#include "kernels/base/joined.h"
#include "kernels/base/number_text.h"

namespace bitpilot {
namespace {

std::string Tile(const std::string& value, const std::string& name, const std::string& detail) {
  return "<div class=\"tile\">" + Element("span", "name", name) + Element("b", "", value) +
         Element("span", "", detail) + "</div>";
}

// Others that may be as fast: the interleaved rounds do not tell.
std::string NotToldApart(const FinalEvent& final, const FinalRow& row) {
  std::string others;
  for (const int index : row.as_fast_as) {
    const FinalRow& other = final.rows.at(static_cast<std::size_t>(index));
    if (!IsFound(other.role)) continue;
    others += (others.empty() ? "; not told apart in speed from " : ", ") + other.label;
  }
  return others;
}

std::string Tiles(const ReportData& data) {
  const std::string model = data.is_model() ? " (MODEL)" : "";
  std::string html = "<div class=\"tiles\">";
  if (data.final) {
    const FinalRow* shown = nullptr;
    for (const int points : {1, 3}) {
      const FinalRow* row = FastestWithin(*data.final, points);
      if (row != nullptr && row != shown) {
        shown = row;
        html += Tile(FormatFixed(*row->ratio, 2) + "\u00d7" + model,
                     "Lowest ratio within " + std::to_string(points) +
                         (points == 1 ? " point" : " points") + " of 8 bit on validation",
                     row->label + ": " + FormatPercent(row->test_accuracy, 1) + " test accuracy, " +
                         FormatBytes(row->weight_bytes) + NotToldApart(*data.final, *row));
      }
    }
    html += Tile(FormatFixed(data.final->hypervolume, 4), "Hypervolume",
                 (data.is_model() ? "of everything computed" : "of everything measured") + model);
    if (data.final->energy_hypervolume) {
      html += Tile(FormatFixed(*data.final->energy_hypervolume, 4), "Hypervolume with energy",
                   "error, latency and energy" + model);
    }
  }
  std::size_t measured = 0;
  for (const TransitionEvent& event : data.transitions) {
    measured += event.transition.latency_ns.has_value() ? 1 : 0;
  }
  html += Tile(std::to_string(measured),
               data.is_model() ? "Candidates computed (MODEL)" : "Candidates measured",
               "in " + Counted(static_cast<std::int64_t>(data.transitions.size()), "step"));
  return html + "</div>\n";
}

std::string Banners(const ReportData& data) {
  std::string html;
  if (data.problem_in_log) {
    html += Element("div", "banner damaged",
                    "The log of this study does not verify: event " +
                        std::to_string(data.problem_in_log->seq) + " " + data.problem_in_log->what +
                        ". Do not rely on what follows.");
  }
  if (!data.missing_end.empty()) {
    html += Element("div", "banner damaged",
                    "The end of this study may be missing: " + data.missing_end + ".");
  }
  if (data.is_model()) {
    html += Element("div", "banner model-note",
                    "MODEL: every latency below was computed from a cost table (" +
                        Joined(data.model_sources) + "), not measured on a device.");
  }
  for (const BoardEvent& each : data.classes) {
    if (data.is_model() || !each.board.is_model()) continue;
    html += Element("div", "banner model-note",
                    "MODEL: every latency of class " + each.on +
                        " was computed from a cost table (" + each.board.backend +
                        "), not measured on a device. So are ratios that it counts in.");
  }
  return html + FingerprintBanner(data);
}

std::string Section(const std::string& heading, const std::string& html) {
  return html.empty() ? "" : "<section>" + Element("h2", "", heading) + html + "</section>\n";
}

std::string Title(const ReportData& data) {
  const std::string model = ConfigText(data, "model");
  std::vector<std::string> isas;
  for (const BoardEvent& each : data.classes) {
    const std::string& isa = each.board.is_model() ? each.board.backend : each.board.isa;
    if (std::find(isas.begin(), isas.end(), isa) == isas.end()) isas.push_back(isa);
  }
  const std::string where = Joined(data.is_model() ? data.model_sources : isas);
  return "Mixed-precision search" + (model.empty() ? "" : ": " + model) +
         (where.empty() ? "" : " on " + where);
}

std::string Page(const ReportData& data) {
  const std::string title = Title(data);
  const std::string results =
      data.final
          ? SummaryTable(data)
          : Element("p", "",
                    "The search has not finished: the final comparison on the test images is "
                    "still to come. What follows is the state of the log.");
  return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
         "style-src 'unsafe-inline'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
         "<meta name=\"color-scheme\" content=\"light dark\">\n" +
         Element("title", "", title) + "<style>" + std::string(ReportStyle()) +
         "</style></head>\n<body>\n<header>" + Element("h1", "", title) +
         Element("p", "sub", "bitpilot report of the study " + data.file_name) + FactsLine(data) +
         Banners(data) + "</header>\n" + Tiles(data) + Section("Results", results) +
         Section("Classes of boards", ClassesTable(data)) +
         Section("Boards of a class", CalibrationTable(data)) +
         Section("Accuracy over latency", ParetoPlot(data)) +
         Section("Energy", MeasuredEnergies(data)) +
         Section("Energy as the model claims it", ModelEnergies(data)) +
         Section("Bits of the chosen candidates", BitsMaps(data)) +
         Section("Course of the search", CoursePlot(data) + StepsTable(data)) +
         Section("Timing windows of the final candidates", WindowsPlot(data)) +
         Section("Measurement conditions", ConditionsTables(data)) +
         Section("The study and the board", FactsTables(data)) +
         Section("How to reproduce", Reproduction(data)) + "</body></html>\n";
}

}  // namespace

Result<std::string> MakeReport(const std::string& study_path) {
  const Result<ReportData> data = ReadReportData(study_path);
  if (!data.ok()) return data.status();
  return Page(*data);
}

Status WriteReport(const std::string& study_path, const std::string& html_path) {
  const Result<std::string> page = MakeReport(study_path);
  if (!page.ok()) return page.status();
  return WriteFileAtomically(html_path, *page);
}

}  // namespace bitpilot
