#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "agent/report/figures.h"
#include "agent/report/html.h"
#include "agent/report/report_config.h"
#include "agent/study/config_fields.h"
#include "agent/study/training_note.h"
#include "kernels/base/number_text.h"

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

// Where the table of layers' times comes from.
std::string TableText(const ReportData& data) {
  if (!data.problem) return "";
  const ProblemEvent& problem = *data.problem;
  const std::string hash = ", SHA-256 " + problem.table_sha256.substr(0, 16);
  switch (problem.table_origin) {
    case TableOrigin::kUnknown:
      return "";
    case TableOrigin::kMeasured: {
      char text[64];
      std::snprintf(text, sizeof text, "measured for this search in %.1f s",
                    problem.table_board_seconds);
      return text + hash;
    }
    case TableOrigin::kCached:
      return "measured for an earlier search" + hash;
    case TableOrigin::kModel:
      return "the model's own" + hash;
  }
  return "";
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

std::string BoardTable(const ReportData& data) {
  if (!data.board) return "";
  const BoardInfo& board = data.board->board;
  return "<table class=\"facts\"><tbody>" + Row("board", board.name) +
         Row(data.is_model() ? "outputs checked on" : "processor", board.cpu_model) +
         Row("core", board.core) + Row("instruction set", data.is_model() ? "" : board.isa) +
         Row("processors", board.cpu_count > 0 ? std::to_string(board.cpu_count) : "") +
         Row("frequency governor", board.governor) + Row("system", board.os) +
         Row("architecture", board.architecture) + Row("backend", board.backend) +
         Row("model source", board.model_source) + Row("daemon build", board.daemon_build) +
         Row("kernel build", board.kernel_build) + Row("table of layers' times", TableText(data)) +
         Row("host's CPU class", data.board->cpu_class) + "</tbody></table>";
}

}  // namespace

std::string FactsLine(const ReportData& data) {
  std::string html = "<ul class=\"line\">" + Item("model", ConfigText(data, "model")) +
                     Item("device", ConfigText(data, "device"));
  if (data.board) {
    const BoardInfo& board = data.board->board;
    html += Item("board", board.name) + Item("processor", data.is_model() ? "" : board.cpu_model) +
            Item("kernels", board.kernel_build.substr(0, 16));
  }
  html += Item("policy", ConfigText(data, "policy")) + Item("seed", ConfigText(data, "seed")) +
          Item("when", Period(data)) + Item("state", State(data));
  return html + "<li><b>log</b>" + LogState(data, /*with_hash=*/false) + "</li></ul>\n";
}

std::string FactsTables(const ReportData& data) {
  return "<div class=\"panels\"><div>" + StudyTable(data) + "</div><div>" + BoardTable(data) +
         "</div></div>\n";
}

}  // namespace bitpilot
