#include "agent/cli/context_json.h"

#include <nlohmann/json.hpp>

#include "agent/fleet/board_conditions.h"
#include "agent/study/events.h"
#include "kernels/base/text_file.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// A board whose governor is that of the measurement.
BoardInfo AsMeasured(BoardInfo board, const BoardConditions& conditions) {
  if (!conditions.governor.empty()) board.governor = conditions.governor;
  return board;
}

bool HasContext(const Json& line) {
  return line.is_object() && line.contains("fingerprint") && line["fingerprint"].is_string() &&
         line.contains("board") && line.contains("latency_median_ns") &&
         line["latency_median_ns"].is_number() && line.contains("latency_ratio_int8") &&
         line["latency_ratio_int8"].is_number();
}

}  // namespace

void AddContext(const BoardInfo& board, const Measurement& measurement, Json& line) {
  MeasurementConditions all;
  all.board = measurement.conditions;
  Json conditions = Json::parse(ToJson(all)).at("board");
  conditions["load_average"] =
      measurement.load_average ? Json(*measurement.load_average) : Json(nullptr);
  conditions["involuntary_context_switches"] = measurement.involuntary_context_switches;
  conditions["duration_ms"] = measurement.duration_ms;
  line["measure_status"] = std::string(ToString(measurement.status));
  line["measure_detail"] = measurement.detail;
  line["fingerprint"] = FingerprintOf(board, measurement.conditions);
  line["board"] = Json::parse(ToJson(AsMeasured(board, measurement.conditions)));
  line["conditions"] = std::move(conditions);
}

Result<Json> ReadEarlierEvaluation(const std::string& file) {
  const Result<std::string> text = ReadTextFile(file);
  if (!text.ok()) return text.status();
  Json earlier = Json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (HasContext(earlier)) return earlier;
  return DataCorrupt(file + ": expected what `bitpilot evaluate --device D --json` printed");
}

Status CompareWithEarlier(const std::string& file, const Json& earlier, Json& line) {
  const Result<BoardInfo> before = ParseEvent<BoardInfo>(earlier["board"].dump());
  if (!before.ok()) return before.status().WithContext(file);
  const Result<BoardInfo> now = ParseEvent<BoardInfo>(line.at("board").dump());
  if (!now.ok()) return now.status();
  line["compared_with"] = {{"file", file},
                           {"fingerprint", earlier["fingerprint"]},
                           {"same_fingerprint", earlier["fingerprint"] == line.at("fingerprint")},
                           {"changes", DescribeFingerprintChange(*before, *now)},
                           {"latency_median_ns", earlier["latency_median_ns"]},
                           {"latency_ratio_int8", earlier["latency_ratio_int8"]}};
  return Status();
}

}  // namespace bitpilot
