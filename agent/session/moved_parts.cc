#include "agent/session/moved_parts.h"

#include <utility>

#include <nlohmann/json.hpp>

#include "agent/study/config_fields.h"
#include "agent/study/journal.h"

namespace bitpilot {
namespace {

using Json = nlohmann::json;

bool IsRestricted(const std::string& device) { return device.starts_with("local:"); }

}  // namespace

bool MovedParts::empty() const {
  return weights.empty() && data.empty() && device.empty() && fleet.empty() && board.empty() &&
         cpu.empty() && meter.empty() && teacher.empty();
}

Result<SearchConfig> Move(SearchConfig config, const MovedParts& moved) {
  const std::string began = config.device;
  if (!moved.device.empty() || !moved.fleet.empty()) config.cpu.clear();
  if (!moved.weights.empty()) config.weights = moved.weights;
  if (!moved.data.empty()) config.data = moved.data;
  if (!moved.fleet.empty()) {
    config.fleet = moved.fleet;
    config.device.clear();
    config.meter.clear();
    config.fast = false;
  }
  if (!moved.device.empty()) {
    config.device = moved.device;
    config.fleet.clear();
    config.board.clear();
    config.fast = config.fast && moved.device.starts_with("model:");
    if (!moved.device.starts_with("local")) config.meter.clear();
  }
  if (!moved.board.empty()) config.board = moved.board;
  if (!moved.cpu.empty()) config.cpu = moved.cpu;
  if (!moved.meter.empty()) config.meter = moved.meter;
  if (!moved.teacher.empty()) config.teacher = moved.teacher;
  if (config.device != began && (IsRestricted(began) || IsRestricted(config.device))) {
    return Status(StatusCode::kVersionMismatch,
                  "the study began with " + (began.empty() ? "a fleet" : "--device " + began) +
                      ", and only a search on --device local:ISA ends with a comparison on the "
                      "whole machine: go on with the device that it began with");
  }
  BITPILOT_RETURN_IF_ERROR(ValidateSearchConfig(config));
  return config;
}

Json PlacesOf(const SearchConfig& config) {
  const Json all = ToJson(config);
  Json places = {{"fast", config.fast}};  // goes with the device
  for (const ConfigField& field : ConfigFields()) {
    if (field.can_move) places[std::string(field.key)] = all.at(std::string(field.key));
  }
  return places;
}

Result<SearchConfig> PlacedConfig(const Study& study) {
  Json json = Json::parse(study.config_json(), nullptr, /*allow_exceptions=*/false);
  const Result<Json> places = NotedPlaces(study);
  if (!places.ok()) return places.status();
  if (json.is_object()) json.update(*places);
  Result<SearchConfig> config = SearchConfigFromJson(json);
  if (!config.ok()) return config.status().WithContext(study.path());
  return config;
}

}  // namespace bitpilot
