#include "agent/report/report.h"

#include <nlohmann/json.hpp>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/report_data.h"
#include "agent/report/report_style.h"
#include "kernels/base/file_io.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// Text of a configuration entry: a string as it is, anything else as JSON; "" if it is missing,
// null or empty.
std::string ConfigText(const Json& config, const std::string& key) {
  const auto entry = config.find(key);
  if (entry == config.end() || entry->is_null()) return "";
  return entry->is_string() ? entry->get<std::string>() : entry->dump();
}

std::string ConfigList(const Json& config, const std::string& key) {
  const auto entry = config.find(key);
  if (entry == config.end() || !entry->is_array()) return "";
  std::string list;
  for (const Json& item : *entry) list += (list.empty() ? "" : ",") + item.dump();
  return list;
}

std::string Tile(const std::string& value, const std::string& name, const std::string& detail) {
  return "<div class=\"tile\">" + Element("span", "name", name) + Element("b", "", value) +
         Element("span", "", detail) + "</div>";
}

// The fastest member of the front whose accuracy on the test images is at most `points` below 8
// bit.
const FinalRow* FastestWithin(const FinalEvent& final, double points) {
  const FinalRow* best = nullptr;
  for (const FinalRow& row : final.rows) {
    if (row.origin != "front" || !row.ratio || row.paired_difference < -points / 100) continue;
    if (best == nullptr || *row.ratio < *best->ratio) best = &row;
  }
  return best;
}

std::string Tiles(const ReportData& data) {
  const std::string model = data.is_model() ? " (MODEL)" : "";
  std::string html = "<div class=\"tiles\">";
  if (data.final) {
    for (const int points : {1, 3}) {
      if (const FinalRow* row = FastestWithin(*data.final, points)) {
        html += Tile(FormatFixed(*row->ratio, 2) + "\u00d7" + model,
                     "Fastest within " + std::to_string(points) +
                         (points == 1 ? " point of 8 bit" : " points of 8 bit"),
                     row->label + ": " + FormatPercent(row->test_accuracy, 1) + " test accuracy, " +
                         FormatBytes(row->weight_bytes));
      }
    }
    html += Tile(FormatFixed(data.final->hypervolume, 4), "Hypervolume",
                 "of everything measured" + model);
  }
  std::size_t measured = 0;
  for (const TransitionEvent& event : data.transitions) {
    measured += event.transition.latency_ns.has_value() ? 1 : 0;
  }
  html += Tile(std::to_string(measured), "Candidates measured",
               "in " + std::to_string(data.transitions.size()) + " steps");
  return html + "</div>\n";
}

std::string State(const ReportData& data) {
  if (data.end) return data.end->reason;
  if (data.runs.empty() || data.runs.back().exit_reason.empty()) return "running, or killed";
  return data.runs.back().exit_reason;
}

std::string Fact(const std::string& key, const std::string& value) {
  if (value.empty()) return "";
  return "<tr>" + Element("th", "", key) + Element("td", "", value) + "</tr>\n";
}

std::string Facts(const ReportData& data, const Json& config) {
  std::string when;
  if (!data.runs.empty()) {
    when = FormatUtc(data.runs.front().started_utc_ns);
    const std::int64_t end = data.runs.back().ended_utc_ns;
    if (end != 0) when += " to " + FormatUtc(end);
    if (data.runs.size() > 1) when += ", in " + std::to_string(data.runs.size()) + " runs";
  }
  const std::string trained = ConfigText(config, "train_batches");
  std::string html =
      "<table class=\"facts\"><tbody>" + Fact("model", ConfigText(config, "model")) +
      Fact("weights, SHA-256", ConfigText(config, "weights_sha256")) +
      Fact("data", ConfigText(config, "data")) +
      Fact("data, SHA-256", ConfigText(config, "data_sha256")) +
      Fact("device", ConfigText(config, "device")) + Fact("fleet", ConfigText(config, "fleet")) +
      Fact("board", data.board
                        ? data.board->board.name + ", " + data.board->board.cpu_model + ", " +
                              data.board->board.isa + ", kernels " + data.board->board.kernel_build
                        : "") +
      Fact("policy", ConfigText(config, "policy")) + Fact("seed", ConfigText(config, "seed")) +
      Fact("training", trained.empty()  ? ""
                       : trained == "0" ? "none: calibration only"
                                        : trained + " mini-batches a step") +
      Fact("when", when) + Fact("state", State(data));
  html += "<tr><th>log</th><td>";
  if (data.problem_in_log) {
    html += Element("span", "missed",
                    "damaged at event " + std::to_string(data.problem_in_log->seq) + ": " +
                        data.problem_in_log->what);
  } else {
    html += Element("span", "verified", "verified") +
            EscapeHtml(", " + std::to_string(data.head.seq) + " events, head ") +
            Element("code", "", data.head.sha256);
  }
  return html + "</td></tr></tbody></table>\n";
}

std::string Banners(const ReportData& data) {
  std::string html;
  if (data.problem_in_log) {
    html += Element("div", "banner damaged",
                    "The log of this study does not verify: event " +
                        std::to_string(data.problem_in_log->seq) + " " + data.problem_in_log->what +
                        ". Do not rely on what follows.");
  }
  if (data.is_model()) {
    html += Element("div", "banner model-note",
                    "MODEL: every latency below was computed from a cost table (" +
                        data.model_source + "), not measured on a device.");
  }
  return html;
}

std::string ShellQuote(const std::string& text) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-./:,=+@";
  if (text.find_first_not_of(kPlain) == std::string::npos && !text.empty()) return text;
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string Command(const ReportData& data, const Json& config) {
  std::string command = "bitpilot search";
  const auto add = [&](const char* flag, const std::string& value) {
    if (!value.empty()) command += std::string(" ") + flag + " " + ShellQuote(value);
  };
  for (const auto& [flag, key] : {std::pair{"--model", "model"},
                                  {"--weights", "weights"},
                                  {"--data", "data"},
                                  {"--device", "device"},
                                  {"--fleet", "fleet"},
                                  {"--board", "board"},
                                  {"--policy", "policy"}}) {
    add(flag, ConfigText(config, key));
  }
  add("--weight-widths", ConfigList(config, "weight_widths"));
  add("--activation-widths", ConfigList(config, "activation_widths"));
  if (config.value("search_ends", Json(false)) == Json(true)) command += " --search-ends";
  const std::string ratio = ConfigText(config, "max_latency_ratio");
  add("--max-latency", ratio.empty() ? "" : ratio + "x");
  add("--max-size", ConfigText(config, "max_weight_bytes"));
  add("--min-accuracy", ConfigText(config, "min_accuracy"));
  add("--measurements", ConfigText(config, "measurements"));
  add("--train-batches", ConfigText(config, "train_batches"));
  if (config.value("distill", Json(true)) == Json(false)) command += " --no-distill";
  add("--seed", ConfigText(config, "seed"));
  add("--study", "again-" + data.file_name);
  return command;
}

std::string Reproduce(const ReportData& data, const Json& config) {
  const std::string file = ShellQuote(data.file_name);
  return "<p>The same search again, the proof that every decision follows from what was observed, "
         "and "
         "the proof that nothing was altered:</p>" +
         Element("pre", "",
                 Command(data, config) + "\nbitpilot replay " + file +
                     " --verify\nbitpilot log verify " + file) +
         "<details><summary>Full configuration</summary>" +
         Element("pre", "", config.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)) +
         "</details>\n";
}

std::string Section(const std::string& heading, const std::string& html) {
  return html.empty() ? "" : "<section>" + Element("h2", "", heading) + html + "</section>\n";
}

std::string Title(const ReportData& data, const Json& config) {
  const std::string model = ConfigText(config, "model");
  const std::string isa = data.board ? data.board->board.isa : "";
  return "Mixed-precision search" + (model.empty() ? "" : ": " + model) +
         (isa.empty() ? "" : " on " + isa) + (data.is_model() ? " (MODEL)" : "");
}

std::string Page(const ReportData& data) {
  Json config = Json::parse(data.config_json, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) config = Json::object();
  const std::string title = Title(data, config);
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
         Element("p", "sub", "bitpilot report of the study " + data.file_name) + Banners(data) +
         "</header>\n" + Tiles(data) + Section("Results", results) +
         Section("Accuracy over latency", ParetoPlot(data)) +
         Section("Bits of the chosen candidates", BitsMaps(data)) +
         Section("Course of the search", CoursePlot(data) + StepsTable(data)) +
         Section("Timing windows of the final candidates", WindowsPlot(data)) +
         Section("Measurement conditions", ConditionsTables(data)) +
         Section("The study", Facts(data, config)) +
         Section("How to reproduce", Reproduce(data, config)) + "</body></html>\n";
}

}  // namespace

Status WriteReport(const std::string& study_path, const std::string& html_path) {
  Result<ReportData> data = ReadReportData(study_path);
  if (!data.ok()) return data.status();
  return WriteFileAtomically(html_path, Page(*data));
}

}  // namespace bitpilot
