#include "agent/report/report_config.h"

#include <nlohmann/json.hpp>

namespace bitpilot {
namespace {

using Json = nlohmann::json;

// The entry, or null.
Json Entry(const ReportData& data, const std::string& key) {
  const Json config = Json::parse(data.config_json, nullptr, /*allow_exceptions=*/false);
  return config.is_object() && config.contains(key) ? config[key] : Json();
}

std::string Text(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string list;
  for (const Json& item : value) list += (list.empty() ? "" : ",") + Text(item);
  return list;
}

}  // namespace

std::string ConfigText(const ReportData& data, const std::string& key) {
  return Text(Entry(data, key));
}

std::optional<double> ConfigNumber(const ReportData& data, const std::string& key) {
  const Json entry = Entry(data, key);
  return entry.is_number() ? std::optional(entry.get<double>()) : std::nullopt;
}

bool ConfigIs(const ReportData& data, const std::string& key, bool value) {
  return Entry(data, key) == Json(value);
}

}  // namespace bitpilot
