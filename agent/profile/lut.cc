#include "agent/profile/lut.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include <nlohmann/json.hpp>

#include "agent/profile/board_json.h"
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

Json CheckToJson(const LutCheck& check) {
  return {{"assignment", Json::parse(check.assignment)},
          {"predicted_ratio", check.predicted_ratio},
          {"measured_ratio", check.measured_ratio},
          {"measured_low", check.measured_low},
          {"measured_high", check.measured_high}};
}

// Reads a table's members and remembers which one it is at, so that errors can name it.
class LutReader {
 public:
  // Throws Json::exception for what is missing or of another type; field() then says what.
  Lut Read(const Json& json);
  const std::string& field() const { return field_; }

 private:
  template <typename T>
  void Get(const Json& json, const char* key, T& value) {
    field_ = parent_ + key;
    json.at(key).get_to(value);
  }
  const Json& Child(const Json& json, const char* key) {
    parent_.clear();
    field_ = key;
    const Json& child = json.at(key);
    parent_ = std::string(key) + ".";
    return child;
  }
  void ReadEntries(const Json& json, const char* key, std::vector<LutEntry>& entries);
  LutEntry ReadEntry(const Json& json);
  LutCheck ReadCheck(const Json& json);

  std::string parent_;  // of field_, e.g. "entries[3]."
  std::string field_;
};

LutEntry LutReader::ReadEntry(const Json& json) {
  LutEntry entry;
  if (json.contains("layer")) {
    Get(json, "layer", entry.operation);
    Get(json, "weight_bits", entry.weight_bits);
    Get(json, "activation_bits", entry.activation_bits);
  } else {
    Get(json, "operation", entry.operation);
  }
  Get(json, "latency_median_ns", entry.latency_ns);
  Get(json, "latency_low_ns", entry.latency_low_ns);
  Get(json, "latency_high_ns", entry.latency_high_ns);
  Get(json, "confidence", entry.confidence);
  Get(json, "samples", entry.samples);
  Get(json, "kernel", entry.kernel);
  Get(json, "weight_bytes", entry.weight_bytes);
  Get(json, "energy_source", entry.energy_source);
  field_ = parent_ + "energy_uj";
  if (!json.at("energy_uj").is_null()) entry.energy_uj = json.at("energy_uj").get<double>();
  return entry;
}

void LutReader::ReadEntries(const Json& json, const char* key, std::vector<LutEntry>& entries) {
  int index = 0;
  for (const Json& entry : Child(json, key)) {
    parent_ = std::string(key) + "[" + std::to_string(index++) + "].";
    entries.push_back(ReadEntry(entry));
  }
}

LutCheck LutReader::ReadCheck(const Json& json) {
  LutCheck check;
  field_ = parent_ + "assignment";
  check.assignment = json.at("assignment").dump();
  Get(json, "predicted_ratio", check.predicted_ratio);
  Get(json, "measured_ratio", check.measured_ratio);
  Get(json, "measured_low", check.measured_low);
  Get(json, "measured_high", check.measured_high);
  return check;
}

Lut LutReader::Read(const Json& json) {
  Lut lut;
  Get(json, "name", lut.name);
  Get(json, "model", lut.model);
  Get(json, "source", lut.source);
  Get(json, "overhead_ns", lut.overhead_ns);
  lut.board = BoardFromJson(Child(json, "board"));
  Get(json, "fingerprint", lut.fingerprint);
  const Json& profile = Child(json, "profile");
  Get(profile, "bits", lut.bits);
  Get(profile, "quick", lut.quick);
  Get(profile, "networks", lut.networks);
  Get(profile, "disturbed", lut.disturbed);
  const Json& reference = Child(json, "reference");
  Get(reference, "clock", lut.reference_clock);
  Get(reference, "latency_median_ns", lut.reference_ns);
  Get(reference, "latency_low_ns", lut.reference_low_ns);
  Get(reference, "latency_high_ns", lut.reference_high_ns);
  ReadEntries(json, "entries", lut.entries);
  ReadEntries(json, "other_operations", lut.entries);
  const Json& check = Child(json, "check");
  field_ = "check.networks";
  int index = 0;
  for (const Json& network : check.at("networks")) {
    parent_ = "check.networks[" + std::to_string(index++) + "].";
    lut.checks.push_back(ReadCheck(network));
  }
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
               {"fingerprint", lut.fingerprint},
               {"profile",
                {{"bits", lut.bits},
                 {"quick", lut.quick},
                 {"networks", lut.networks},
                 {"disturbed", lut.disturbed}}},
               {"reference",
                {{"assignment", "uniform 8 bit"},
                 {"clock", lut.reference_clock},
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
  LutReader reader;
  try {
    if (const int version = json.at("version").get<int>(); version != kLutVersion) {
      return Status(StatusCode::kVersionMismatch,
                    "expected version " + std::to_string(kLutVersion) + " of " + kLutFormat +
                        ", got " + std::to_string(version) + ": profile the board again");
    }
    Lut lut = reader.Read(json);
    BITPILOT_RETURN_IF_ERROR(CheckNumbers(lut));
    return lut;
  } catch (const Json::exception& error) {
    return DataCorrupt((reader.field().empty() ? "version" : reader.field()) + ": " + error.what());
  }
}

CostTable ToCostTable(const Lut& lut) {
  CostTable table;
  table.name = lut.name;
  char text[160] = ", not compared with whole networks";
  if (!lut.checks.empty()) {
    std::snprintf(
        text, sizeof text,
        ", error of %zu unseen networks as ratios to 8 bit %.1f %% in the median, %.1f %% "
        "at worst",
        lut.checks.size(), 100.0 * lut.prediction_error_median(),
        100.0 * lut.prediction_error_worst());
  }
  table.source = "bitpilot profile of " + lut.board.cpu_model + ", " + lut.board.isa + " (" +
                 lut.source + "), kernels " + lut.board.kernel_build.substr(0, 12) + text;
  table.overhead_latency_ns = lut.overhead_ns;
  for (const LutEntry& entry : lut.entries) {
    table.operations[{entry.operation, entry.weight_bits, entry.activation_bits}] =
        Cost{entry.latency_ns, std::nullopt};
  }
  return table;
}

}  // namespace bitpilot
