#include "agent/profile/lut.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/profile/board_json.h"
#include "kernels/base/file_io.h"
#include "kernels/base/window_statistics.h"

namespace bitpilot {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kLutFormat[] = "bitpilot-lut";
constexpr int kLutVersion = 1;

Json EntryToJson(const LutEntry& entry) {
  Json json;
  if (entry.weight_bits > 0) {
    json = {{"layer", entry.operation},
            {"weight_bits", entry.weight_bits},
            {"activation_bits", entry.activation_bits}};
  } else {
    json = {{"operation", entry.operation}};
  }
  json.update({{"latency_median_ns", entry.latency_ns},
               {"latency_low_ns", entry.latency_low_ns},
               {"latency_high_ns", entry.latency_high_ns},
               {"confidence", entry.confidence},
               {"samples", entry.samples},
               {"kernel", entry.kernel},
               {"weight_bytes", entry.weight_bytes},
               {"energy_uj", entry.energy_uj ? Json(*entry.energy_uj) : Json(nullptr)},
               {"energy_source", entry.energy_source}});
  return json;
}

LutEntry EntryFromJson(const Json& json) {
  LutEntry entry;
  if (json.contains("layer")) {
    json.at("layer").get_to(entry.operation);
    json.at("weight_bits").get_to(entry.weight_bits);
    json.at("activation_bits").get_to(entry.activation_bits);
  } else {
    json.at("operation").get_to(entry.operation);
  }
  json.at("latency_median_ns").get_to(entry.latency_ns);
  json.at("latency_low_ns").get_to(entry.latency_low_ns);
  json.at("latency_high_ns").get_to(entry.latency_high_ns);
  json.at("confidence").get_to(entry.confidence);
  json.at("samples").get_to(entry.samples);
  json.at("kernel").get_to(entry.kernel);
  json.at("weight_bytes").get_to(entry.weight_bytes);
  if (!json.at("energy_uj").is_null()) entry.energy_uj = json.at("energy_uj").get<double>();
  json.at("energy_source").get_to(entry.energy_source);
  return entry;
}

Json CheckToJson(const LutCheck& check) {
  return {{"assignment", Json::parse(check.assignment)},
          {"predicted_ratio", check.predicted_ratio},
          {"measured_ratio", check.measured_ratio},
          {"measured_low", check.measured_low},
          {"measured_high", check.measured_high}};
}

LutCheck CheckFromJson(const Json& json) {
  LutCheck check;
  check.assignment = json.at("assignment").dump();
  json.at("predicted_ratio").get_to(check.predicted_ratio);
  json.at("measured_ratio").get_to(check.measured_ratio);
  json.at("measured_low").get_to(check.measured_low);
  json.at("measured_high").get_to(check.measured_high);
  return check;
}

// Throws Json::exception for what is missing or of another type.
Lut LutFromJson(const Json& json) {
  Lut lut;
  json.at("name").get_to(lut.name);
  json.at("model").get_to(lut.model);
  json.at("source").get_to(lut.source);
  lut.board = BoardFromJson(json.at("board"));
  const Json& profile = json.at("profile");
  profile.at("bits").get_to(lut.bits);
  profile.at("quick").get_to(lut.quick);
  profile.at("networks").get_to(lut.networks);
  profile.at("disturbed").get_to(lut.disturbed);
  const Json& reference = json.at("reference");
  reference.at("latency_median_ns").get_to(lut.reference_ns);
  reference.at("latency_low_ns").get_to(lut.reference_low_ns);
  reference.at("latency_high_ns").get_to(lut.reference_high_ns);
  json.at("overhead_ns").get_to(lut.overhead_ns);
  for (const Json& entry : json.at("entries")) lut.entries.push_back(EntryFromJson(entry));
  for (const Json& entry : json.at("other_operations")) lut.entries.push_back(EntryFromJson(entry));
  for (const Json& check : json.at("check").at("networks"))
    lut.checks.push_back(CheckFromJson(check));
  return lut;
}

Status CheckNumbers(const Lut& lut) {
  const auto is_cost = [](double value) { return std::isfinite(value) && value >= 0.0; };
  if (lut.name.empty() || lut.source.empty()) return DataCorrupt("\"name\" or \"source\" is empty");
  if (!is_cost(lut.overhead_ns)) return DataCorrupt("\"overhead_ns\" is no time");
  for (const LutEntry& entry : lut.entries) {
    const bool widths = entry.weight_bits >= 0 && entry.weight_bits <= 8 &&
                        entry.activation_bits >= 0 && entry.activation_bits <= 8 &&
                        (entry.weight_bits == 0) == (entry.activation_bits == 0);
    if (widths && is_cost(entry.latency_ns)) continue;
    return DataCorrupt("entry of \"" + entry.operation +
                       "\": expected widths in 1..8 and a latency that is finite and not negative");
  }
  return Status();
}

std::vector<double> Errors(const Lut& lut) {
  std::vector<double> errors;
  for (const LutCheck& check : lut.checks) errors.push_back(check.error());
  return errors;
}

}  // namespace

double LutCheck::error() const { return std::abs(predicted_ratio / measured_ratio - 1.0); }

double Lut::prediction_error_median() const {
  const std::vector<double> errors = Errors(*this);
  return errors.empty() ? 0.0 : Median(errors);
}

double Lut::prediction_error_worst() const {
  const std::vector<double> errors = Errors(*this);
  return errors.empty() ? 0.0 : *std::max_element(errors.begin(), errors.end());
}

std::string FormatLut(const Lut& lut) {
  Json json = {{"format", kLutFormat},
               {"version", kLutVersion},
               {"name", lut.name},
               {"model", lut.model},
               {"source", lut.source},
               {"board", BoardToJson(lut.board)},
               {"profile",
                {{"bits", lut.bits},
                 {"quick", lut.quick},
                 {"networks", lut.networks},
                 {"disturbed", lut.disturbed}}},
               {"reference",
                {{"assignment", "uniform 8 bit"},
                 {"latency_median_ns", lut.reference_ns},
                 {"latency_low_ns", lut.reference_low_ns},
                 {"latency_high_ns", lut.reference_high_ns}}},
               {"overhead_ns", lut.overhead_ns}};
  json["entries"] = Json::array();
  json["other_operations"] = Json::array();
  for (const LutEntry& entry : lut.entries)
    json[entry.weight_bits > 0 ? "entries" : "other_operations"].push_back(EntryToJson(entry));
  Json checks = Json::array();
  for (const LutCheck& check : lut.checks) checks.push_back(CheckToJson(check));
  json["check"] = {{"prediction_error_median", lut.prediction_error_median()},
                   {"prediction_error_worst", lut.prediction_error_worst()},
                   {"networks", std::move(checks)}};
  // One line an entry: readable, and small in a difference.
  std::string text = "{";
  for (const auto& [key, value] : json.items()) {
    text += (text.size() > 1 ? ",\n " : "") + Json(key).dump() + ": ";
    if (!value.is_array() || value.empty() || !value.front().is_object()) {
      text += value.dump();
      continue;
    }
    for (std::size_t i = 0; i < value.size(); ++i)
      text += (i == 0 ? "[\n  " : ",\n  ") + value[i].dump();
    text += "]";
  }
  return text + "}\n";
}

Result<Lut> ParseLut(const std::string& text) {
  const Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("format") || json.at("format") != kLutFormat) {
    return DataCorrupt(std::string("expected a JSON object with \"format\":\"") + kLutFormat +
                       "\", as `bitpilot profile --export lut.json` writes it");
  }
  try {
    if (const int version = json.at("version").get<int>(); version != kLutVersion) {
      return Status(StatusCode::kVersionMismatch,
                    "expected version " + std::to_string(kLutVersion) + " of " + kLutFormat +
                        ", got " + std::to_string(version) + ": profile the board again");
    }
    Lut lut = LutFromJson(json);
    BITPILOT_RETURN_IF_ERROR(CheckNumbers(lut));
    return lut;
  } catch (const Json::exception& error) {
    return DataCorrupt(error.what());
  }
}

CostTable ToCostTable(const Lut& lut) {
  CostTable table;
  table.name = lut.name;
  char text[160];
  std::snprintf(text, sizeof text,
                ", error of %zu unseen networks as ratios to 8 bit %.1f %% in the median, %.1f %% "
                "at worst",
                lut.checks.size(), 100.0 * lut.prediction_error_median(),
                100.0 * lut.prediction_error_worst());
  table.source = "bitpilot profile of " + lut.board.cpu_model + ", " + lut.board.isa + " (" +
                 lut.source + "), kernels " + lut.board.kernel_build.substr(0, 12) + text;
  table.overhead_latency_ns = lut.overhead_ns;
  for (const LutEntry& entry : lut.entries) {
    table.operations[{entry.operation, entry.weight_bits, entry.activation_bits}] =
        Cost{entry.latency_ns, std::nullopt};
  }
  return table;
}

Result<CostTable> ReadBoardTable(const std::string& path) {
  const Result<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  if (text->find_first_not_of(" \t\r\n") == std::string::npos ||
      (*text)[text->find_first_not_of(" \t\r\n")] != '{') {
    Result<CostTable> table = ParseCostTable(*text);
    if (!table.ok()) return table.status().WithContext(path);
    return table;
  }
  const Result<Lut> lut = ParseLut(*text);
  if (!lut.ok()) return lut.status().WithContext(path);
  return ToCostTable(*lut);
}

}  // namespace bitpilot
