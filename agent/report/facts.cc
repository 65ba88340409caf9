#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/report_config.h"
#include "agent/study/config_fields.h"
#include "agent/study/training_note.h"
#include "kernels/base/number_text.h"
#include "kernels/base/sha256.h"

namespace bitpilot {
namespace {

std::string State(const ReportData& data) {
  if (data.end) return data.end->reason;
  if (data.runs.empty() || data.runs.back().exit_reason.empty()) return "running, or killed";
  return data.runs.back().exit_reason;
}

std::string Period(const ReportData& data) {
  if (data.runs.empty()) return "";
  std::string text = FormatUtc(data.runs.front().started_utc_ns);
  const std::int64_t end = data.runs.back().ended_utc_ns;
  if (end != 0) text += " to " + FormatUtc(end);
  if (data.runs.size() > 1) text += ", in " + std::to_string(data.runs.size()) + " runs";
  return text;
}

std::string LogState(const ReportData& data, bool with_hash) {
  if (data.problem_in_log) {
    return Element("span", "missed",
                   "damaged at event " + std::to_string(data.problem_in_log->seq) + ": " +
                       data.problem_in_log->what);
  }
  std::string html =
      Element("span", "verified", "verified") + EscapeHtml(", " + Counted(data.head.seq, "event"));
  if (with_hash) html += ", head " + Element("code", "", data.head.sha256);
  return html;
}

std::string Row(const std::string& key, const std::string& value) {
  if (value.empty()) return "";
  return "<tr>" + Element("th", "", key) + Element("td", "", value) + "</tr>\n";
}

std::string Item(const std::string& key, const std::string& value) {
  if (value.empty()) return "";
  return "<li>" + Element("b", "", key) + EscapeHtml(value) + "</li>";
}

// The agents that wrote the study, in order.
std::string Builds(const ReportData& data) {
  std::string text;
  const std::string* last = nullptr;
  for (const AgentEvent& agent : data.agents) {
    if (last != nullptr && *last == agent.build) continue;
    text += (last != nullptr ? ", then " : "") + agent.build + " (" + agent.solver + ")";
    last = &agent.build;
  }
  return text;
}

// Where a table of layers' times comes from; nothing of an older study.
std::string TableText(TableOrigin origin, double board_seconds, const std::string& sha256) {
  const std::string hash = ", SHA-256 " + sha256.substr(0, 16);
  switch (origin) {
    case TableOrigin::kUnknown:
      return "";
    case TableOrigin::kMeasured: {
      char text[64];
      std::snprintf(text, sizeof text, "measured for this search in %.1f s", board_seconds);
      return text + hash;
    }
    case TableOrigin::kCached:
      return "measured for an earlier search" + hash;
    case TableOrigin::kModel:
      return "the model's own" + hash;
  }
  return "";
}

// Of one of several classes its own table; else the search's.
std::string TableOf(const ReportData& data, const ClassId& on) {
  if (!data.problem) return "";
  const ProblemEvent& problem = *data.problem;
  for (const ClassFacts& each : problem.classes) {
    if (each.on == on) {
      return TableText(each.table_origin, each.table_board_seconds, Sha256Hex(each.table));
    }
  }
  return TableText(problem.table_origin, problem.table_board_seconds, problem.table_sha256);
}

std::string TrainedBeside(const ReportData& data) {
  if (!data.final) return "";
  return Describe(TrainingBesideOf(data.episodes.problem.anchor, *data.final));
}

std::string StudyTable(const ReportData& data) {
  const auto config = nlohmann::json::parse(data.config_json, nullptr, /*allow_exceptions=*/false);
  std::string html = "<table class=\"facts\"><tbody>";
  for (const ConfigField& field : ConfigFields()) {
    html += Row(std::string(field.name), TextOf(field, config));
  }
  return html + Row("trained outside of the budgets", TrainedBeside(data)) +
         Row("when", Period(data)) + Row("state", State(data)) + Row("agent build", Builds(data)) +
         "<tr><th>log</th><td>" + LogState(data, /*with_hash=*/true) + "</td></tr></tbody></table>";
}

std::string BoardTable(const ReportData& data, const BoardEvent& on) {
  const BoardInfo& board = on.board;
  return "<table class=\"facts\"><tbody>" + Row("class", data.has_several_classes() ? on.on : "") +
         Row("board", data.BoardNamesOf(on)) +
         Row(board.is_model() ? "outputs checked on" : "processor", board.cpu_model) +
         Row("core", board.core) + Row("instruction set", board.is_model() ? "" : board.isa) +
         Row("processors", board.cpu_count > 0 ? std::to_string(board.cpu_count) : "") +
         Row("frequency governor", board.governor) + Row("system", board.os) +
         Row("architecture", board.architecture) + Row("backend", board.backend) +
         Row("model source", board.model_source) + Row("daemon build", board.daemon_build) +
         Row("kernel build", board.kernel_build) +
         Row("table of layers' times", TableOf(data, on.on)) +
         Row("host's CPU class", on.cpu_class) + "</tbody></table>";
}

}  // namespace

std::string FactsLine(const ReportData& data) {
  std::string html = "<ul class=\"line\">" + Item("model", ConfigText(data, "model")) +
                     Item("device", ConfigText(data, "device"));
  for (const BoardEvent& each : data.classes) {
    const BoardInfo& board = each.board;
    html +=
        Item(data.has_several_classes() ? "class " + each.on : "board", data.BoardNamesOf(each)) +
        Item("processor", board.is_model() ? "" : board.cpu_model) +
        Item("kernels", board.kernel_build.substr(0, 16));
  }
  html += Item("policy", ConfigText(data, "policy")) + Item("seed", ConfigText(data, "seed")) +
          Item("when", Period(data)) + Item("state", State(data));
  return html + "<li><b>log</b>" + LogState(data, /*with_hash=*/false) + "</li></ul>\n";
}

std::string FactsTables(const ReportData& data) {
  std::string boards;
  for (const BoardEvent& each : data.classes) boards += BoardTable(data, each);
  return "<div class=\"panels\"><div>" + StudyTable(data) + "</div><div>" + boards +
         "</div></div>\n";
}

}  // namespace bitpilot
