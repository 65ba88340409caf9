#include "device_daemon/commands/board_report.h"

#include <cstdio>
#include <set>

#include "device_daemon/energy/energy_estimate.h"
#include "device_daemon/energy/source_choice.h"

namespace bitpilot {
namespace {

double MinWindowSeconds(const EnergySourceInfo& info) {
  return static_cast<double>(MinWindowNs(info)) * 1e-9;
}

std::vector<std::string> LimitsNow(const ThrottleBits& bits) {
  std::vector<std::string> limits;
  if (bits.under_voltage) limits.emplace_back("under-voltage");
  if (bits.frequency_capped) limits.emplace_back("frequency capped");
  if (bits.throttled) limits.emplace_back("throttled");
  if (bits.soft_temperature_limit) limits.emplace_back("soft temperature limit");
  return limits;
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", value);
  return text;
}

}  // namespace

nlohmann::ordered_json EnergySourcesJson(const std::vector<FoundEnergySource>& sources) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  const std::optional<std::size_t> best = BestEnergySource(sources);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const FoundEnergySource& one = sources[i];
    nlohmann::ordered_json json{
        {"name", one.name}, {"usable", one.status.ok()}, {"chosen", best == i}};
    if (one.status.ok()) {
      const EnergySourceInfo& info = one.source->info();
      json["tier"] = ToString(TierOf(info.sensor));
      json["scope"] = info.scope;
      json["period_ms"] = static_cast<double>(info.period_ns) * 1e-6;
      json["min_window_s"] = MinWindowSeconds(info);
    } else {
      json["status"] = ToString(one.status.code());
      json["reason"] = one.status.message();
    }
    array.push_back(json);
  }
  return array;
}

nlohmann::ordered_json BoardStateJson(const BoardState& state) {
  std::set<std::string> governors;
  for (const CpuFrequency& cpu : state.frequencies) {
    if (!cpu.governor.empty()) governors.insert(cpu.governor);
  }
  nlohmann::ordered_json zones = nlohmann::ordered_json::object();
  for (const ThermalZone& zone : state.zones) zones[zone.type] = zone.celsius;
  nlohmann::ordered_json json{{"governors", governors}, {"zones", zones}};
  json["throttle"] = state.throttle ? nlohmann::ordered_json(LimitsNow(*state.throttle))
                                    : nlohmann::ordered_json();
  json["concerns"] = FindStateConcerns(state);
  return json;
}

std::vector<std::string> EnergySourcesText(const std::vector<FoundEnergySource>& sources) {
  std::vector<std::string> lines;
  const std::optional<std::size_t> best = BestEnergySource(sources);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const FoundEnergySource& one = sources[i];
    std::string line = "energy               " + one.name + ": ";
    if (one.status.ok()) {
      const EnergySourceInfo& info = one.source->info();
      line += std::string(ToString(TierOf(info.sensor))) + "; " + info.scope +
              "; windows of at least " + Number(MinWindowSeconds(info)) + " s";
      if (best == i) line += "; serve measures with it";
    } else {
      line += "not usable: " + one.status.message();
    }
    lines.push_back(line);
  }
  if (lines.empty()) lines.emplace_back("energy               no source: this board measures none");
  return lines;
}

std::vector<std::string> BoardStateText(const BoardState& state) {
  std::vector<std::string> lines;
  for (const ThermalZone& zone : state.zones) {
    lines.push_back("thermal zone         " + zone.type + ": " + Number(zone.celsius) + " C");
  }
  for (const std::string& concern : FindStateConcerns(state)) lines.push_back("NOTE: " + concern);
  return lines;
}

}  // namespace bitpilot
